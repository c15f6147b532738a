# The broker as a drop-in for RabbitMQ's image: the same ports, paths, variables
# and names on PATH, in an image that holds the static binary and nothing else.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /leveret ./cmd/leveret \
 && deploy/rootfs.sh /leveret /rootfs

FROM scratch
# 999 is rabbitmq in RabbitMQ's image, so that a volume fits both.
COPY --from=build --chown=999:999 /rootfs /
ENV PATH=/usr/local/bin HOME=/var/lib/rabbitmq
USER 999:999
VOLUME /var/lib/rabbitmq
EXPOSE 5671 5672 15671 15672 15691 15692
STOPSIGNAL SIGTERM
CMD ["rabbitmq-server"]
