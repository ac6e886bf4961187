"""MongoDB: one repository per collection. Nothing else in the product imports pymongo."""

from __future__ import annotations

from dataclasses import dataclass

from speechai.store.access import ApiKeyRepository, UserRepository
from speechai.store.accounts import AccountRepository
from speechai.store.attempts import AttemptRepository
from speechai.store.batches import BatchRepository, WaveRepository
from speechai.store.breakers import BreakerRepository
from speechai.store.database import Db, PyMongoError, connect
from speechai.store.do_not_call import DoNotCallRepository
from speechai.store.erasure import ErasureRepository
from speechai.store.evidence import EvidenceRepository
from speechai.store.funds import FundsRepository
from speechai.store.groups import GroupRepository
from speechai.store.indexes import ensure_indexes
from speechai.store.job_reports import JobReportRepository
from speechai.store.jobs import JobRepository
from speechai.store.pacing import PacingRepository
from speechai.store.payments import PaymentRepository
from speechai.store.persons import PersonRepository
from speechai.store.standing import StandingRepository
from speechai.store.stops import StopRepository
from speechai.store.sweeps import SweepRepository
from speechai.store.tallies import TallyRepository
from speechai.store.uploads import UploadRepository
from speechai.store.waterfalls import WaterfallRepository

StoreError = PyMongoError
"""What every repository raises when the database does not do as it is told."""


@dataclass(frozen=True, slots=True)
class Store:
    """Every repository on one database."""

    db: Db
    jobs: JobRepository
    job_reports: JobReportRepository
    tallies: TallyRepository
    groups: GroupRepository
    attempts: AttemptRepository
    batches: BatchRepository
    waves: WaveRepository
    standing: StandingRepository
    pacing: PacingRepository
    breakers: BreakerRepository
    stops: StopRepository
    sweeps: SweepRepository
    do_not_call: DoNotCallRepository
    accounts: AccountRepository
    funds: FundsRepository
    persons: PersonRepository
    erasure: ErasureRepository
    payments: PaymentRepository
    evidence: EvidenceRepository
    users: UserRepository
    api_keys: ApiKeyRepository
    uploads: UploadRepository
    waterfalls: WaterfallRepository
    jobs_name: str
    logs_name: str

    def ensure_indexes(self) -> dict[str, list[str]]:
        """Build the indexes that are missing."""
        return ensure_indexes(self.db, jobs=self.jobs_name, logs=self.logs_name)

    def ping(self) -> None:
        """Raises StoreError where the database does not answer."""
        self.db.command("ping")


def open_store(db: Db, *, jobs: str = "call_jobs", logs: str = "call_logs") -> Store:
    """The repositories on `db`."""
    return Store(
        db=db,
        jobs=JobRepository(db, jobs),
        job_reports=JobReportRepository(db, jobs),
        tallies=TallyRepository(db, jobs, logs),
        groups=GroupRepository(db, jobs),
        attempts=AttemptRepository(db, logs),
        batches=BatchRepository(db),
        waves=WaveRepository(db),
        standing=StandingRepository(db),
        pacing=PacingRepository(db),
        breakers=BreakerRepository(db),
        stops=StopRepository(db),
        sweeps=SweepRepository(db),
        do_not_call=DoNotCallRepository(db),
        accounts=AccountRepository(db),
        funds=FundsRepository(db),
        persons=PersonRepository(db, jobs, logs),
        erasure=ErasureRepository(db, jobs, logs),
        payments=PaymentRepository(db, jobs),
        evidence=EvidenceRepository(db, logs),
        users=UserRepository(db),
        api_keys=ApiKeyRepository(db),
        uploads=UploadRepository(db),
        waterfalls=WaterfallRepository(db),
        jobs_name=jobs,
        logs_name=logs,
    )


__all__ = ["Store", "StoreError", "connect", "open_store"]
