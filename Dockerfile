FROM python:3.13-slim
RUN useradd --create-home --uid 10001 kopir && mkdir /data && chown kopir /data
WORKDIR /app
COPY requirements/runtime.lock requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/runtime.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER kopir
VOLUME /data
CMD ["kopir", "serve", "--host", "0.0.0.0"]
