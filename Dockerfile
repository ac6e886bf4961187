# One image for every part; `docker-compose.yml` says which one a container is.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
# The pins are complete: nothing may be resolved anew. Without the embedded servers, which are for one machine.
COPY requirements.txt ./
RUN pip install --no-deps -r requirements.txt

COPY pyproject.toml requirements.in celeryconfig.py Procfile README.md ./
COPY speechai ./speechai
COPY tasks ./tasks
COPY web ./web
# Editable: the code stays beside the Procfile, from where the parts are run.
RUN pip install --no-deps --editable . \
    && useradd --create-home --uid 10001 speechai \
    && install -d -o speechai -g speechai -m 0700 /var/lib/speechai

USER speechai
ENV HOST=0.0.0.0 SPEECHAI_HOME=/var/lib/speechai
EXPOSE 8000 5555
STOPSIGNAL SIGTERM

# Becomes the Procfile's line of that name: signals reach the part itself.
ENTRYPOINT ["python", "-m", "speechai.stack.procfile"]
CMD ["web"]
# For `web`; the others' are in docker-compose.yml.
HEALTHCHECK --interval=15s --timeout=10s --start-period=40s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", \"8000\")}/health', timeout=8)"]
