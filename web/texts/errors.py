"""What is said when something cannot be done."""

TEXTS: dict[str, tuple[str, str]] = {
    "http.400": ("La solicitud no se entiende.", "The request cannot be understood."),
    "http.401": (
        "Se necesita una clave válida en «Authorization: Bearer».",
        "A valid key is needed in “Authorization: Bearer”.",
    ),
    "http.401_panel": ("Se necesita entrar al panel.", "A login to the panel is needed."),
    "http.403": ("No se permite.", "Not allowed."),
    "http.404": ("Aquí no hay nada.", "There is nothing here."),
    "http.405": ("Este método no se usa aquí.", "This method is not used here."),
    "http.413": ("Lo enviado supera el tamaño permitido.", "What was sent is larger than allowed."),
    "http.415": ("Este tipo de contenido no se acepta.", "This type of content is not accepted."),
    "http.500": (
        "Error inesperado. Quien administra el sistema lo encuentra en el registro por {error_id}.",
        "Unexpected error. Whoever runs the system finds it in the log by {error_id}.",
    ),
    "http.503": (
        "La base de datos no responde. Intente de nuevo en unos segundos.",
        "The database does not answer. Try again in a few seconds.",
    ),
    "http.csrf": (
        "La página venció o la solicitud vino de otro sitio. Recargue la página e intente de nuevo.",
        "The page has expired, or the request came from another site. Reload the page and try again.",
    ),
    "http.json": ("El cuerpo debe ser un objeto JSON.", "The body must be a JSON object."),
    "http.half_character": (
        "El cuerpo tiene media letra (un «surrogate» de Unicode sin su par, como \\ud800): no es texto.",
        "The body holds half a character (a lone Unicode surrogate, such as \\ud800): that is no text.",
    ),
    "http.no_batch": ("No existe esa campaña.", "There is no such batch."),
    "provider.same": (
        "La campaña ya llama por el proveedor actual.",
        "The batch is dialed through the provider in use already.",
    ),
    "provider.in_flight": (
        "Hay llamadas de la campaña en curso con el otro proveedor: espere a que terminen.",
        "Calls of the batch are in flight at the other provider: wait until they are over.",
    ),
    "batch.over": (
        "La campaña ya terminó: no se puede cambiar.",
        "The batch is over: it cannot be changed.",
    ),
    "http.no_account": ("No existe esa cuenta.", "There is no such account."),
    "http.no_person": ("No se conoce a esa persona.", "There is no such person."),
    "account.exists": ("Ya existe la cuenta «{account}».", "There is an account “{account}” already."),
    "http.no_job": ("No existe ese contacto.", "There is no such job."),
    "do_not_call.entries": (
        "`entries` debe ser una lista de a lo más {most} objetos.",
        "`entries` must be a list of at most {most} objects.",
    ),
    "option.text": ("Debe ser un texto.", "Must be text."),
    "option.too_long": ("A lo más {limit} caracteres.", "At most {limit} characters."),
    "option.choice": ("Debe ser uno de: {known}.", "Must be one of: {known}."),
    "option.flag": ("Debe ser 1 o 0.", "Must be 1 or 0."),
    "option.count": (
        "Debe ser un número entero de {least} a {most}.",
        "Must be a whole number from {least} to {most}.",
    ),
    "option.instant": (
        "Debe ser un instante con su zona, como 2026-11-24T10:30:00-03:00.",
        "Must be an instant with its offset, such as 2026-11-24T10:30:00-03:00.",
    ),
    "option.day": ("Debe ser una fecha como 2026-11-30.", "Must be a date such as 2026-11-30."),
    "payments.future": (
        "La lista no puede decir qué se pagó después de hoy, {today}.",
        "The list cannot tell what was paid after today, {today}.",
    ),
    "payments.list": (
        "`payments` debe ser una lista de a lo más {most} objetos.",
        "`payments` must be a list of at most {most} objects.",
    ),
    "person.active": (
        "La persona está en una campaña activa; cancele primero sus llamadas.",
        "The person is in an active batch; cancel their calls first.",
    ),
    "option.object": ("Debe ser un objeto JSON.", "Must be a JSON object."),
    "option.weekdays": (
        "Deben ser días de la semana de 1 (lunes) a 7 (domingo), como 1,2,3,4,5.",
        "Must be weekdays from 1 (Monday) to 7 (Sunday), such as 1,2,3,4,5.",
    ),
    "option.wave_times": (
        "Deben ser horas como 09:00,12:00,15:00.",
        "Must be times of day such as 09:00,12:00,15:00.",
    ),
    "option.mapping_json": ("No es JSON.", "Not JSON."),
    "option.mapping": (
        "Debe ser un objeto: encabezado → campo.",
        "Must be an object: header → field.",
    ),
    "option.mapping_line": (
        "Escriba en cada línea «encabezado = campo».",
        "Write “header = field” on each line.",
    ),
    "option.cursor": (
        "Use el «next_cursor» de la página anterior.",
        "Use the “next_cursor” of the page before.",
    ),
    "option.file": ("Falta el archivo («file»).", "The file (“file”) is missing."),
    "option.contacts": (
        "«contacts» debe ser una lista de 1 a {most} contactos.",
        "“contacts” must be a list of 1 to {most} contacts.",
    ),
    "option.contact": (
        "Cada contacto es un objeto con textos, números o listas de ellos.",
        "Each contact is an object of texts, numbers, or lists of them.",
    ),
    "option.columns": (
        "Los contactos usan más de {most} campos distintos.",
        "The contacts use more than {most} different fields.",
    ),
    "upload.same_file": (
        "El mismo archivo ya es la campaña {batch}. Para subirlo otra vez, use «again=1».",
        "The same file is batch {batch} already. To upload it again, use “again=1”.",
    ),
    "upload.being_read_in": (
        "El mismo archivo se está leyendo en este momento: será la campaña {batch}. Espere a que termine.",
        "The same file is being read in right now: it will be batch {batch}. Wait until that is done.",
    ),
    "upload.lost": (
        "La carga se interrumpió y no quedó nada de ella. Suba el archivo de nuevo.",
        "The upload was cut off, and nothing of it was kept. Upload the file again.",
    ),
    "batch.refused": (
        "No se puede: la campaña está en estado «{state}».",
        "Not possible: the batch is “{state}”.",
    ),
    "login.wrong": (
        "El correo o la contraseña no coinciden.",
        "The e-mail and the password do not match.",
    ),
    "login.throttled": (
        "Demasiados intentos. Espere unos minutos.",
        "Too many tries. Wait a few minutes.",
    ),
    "upload.expired": (
        "Ese archivo ya fue confirmado, o pasó más de un día. Súbalo de nuevo.",
        "That file was confirmed already, or more than a day has passed. Upload it again.",
    ),
    "job.refused": ("No se puede: {why}.", "Not possible: {why}."),
}
