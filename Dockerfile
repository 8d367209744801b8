# One image for every process of the desk; docker-compose.yml says what each one runs.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TAPELINE_DATA=/data MEDIA_STORAGE=/media
RUN useradd --system --uid 10001 --no-create-home tapeline \
 && install -d -o tapeline -m 700 /data /media
WORKDIR /app

COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY . .

USER tapeline
VOLUME ["/data", "/media"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD \
  ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["granian", "--interface", "asgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", \
     "--workers-kill-timeout", "3", "--log-level", "warning", "dashboard.asgi:application"]
