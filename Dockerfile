# docker build -t geminifusion3d .
# docker run --rm -it --shm-size 8g -v /path/to/nuscenes:/geminifusion3d/data/nuscenes geminifusion3d
#
# --shm-size: data loaders pass batches through shared memory, of which a container has 64 MB by default; they
# hang when it is full. A GPU: --gpus all, and --build-arg TORCH_SPEC=torch==... for a build that fits the driver.
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ git make libgl1 libglib2.0-0 libgomp1 libusb-1.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /geminifusion3d
# The environment first: it stays in the build's cache while only the code changes.
COPY Makefile setup.py setup.cfg pyproject.toml MANIFEST.in README.md LICENSE ./
COPY requirements requirements
COPY tools tools
COPY projects/GeminiFusion3D projects/GeminiFusion3D
ARG TORCH_SPEC=
ENV TORCH_SPEC=${TORCH_SPEC}
RUN make setup PYTHON=python3 && rm -rf ~/.cache
COPY . .
ENV PATH=/geminifusion3d/.venv/bin:${PATH}
CMD ["bash"]
