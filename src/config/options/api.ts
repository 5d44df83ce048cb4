import { isIP } from "node:net";
import { parseDuration } from "../duration.ts";
import { bool, int, list, parses, type Section, text } from "../option.ts";
import { tlsCipherProblem, tlsVersionProblem } from "../tls.ts";

/** `[crio.api]`: the CRI socket and the streaming server. */
export const apiOptions = {
  listen: text("/var/run/crio/crio.sock", {
    isPath: true,
    flag: "listen",
    env: ["CONTAINER_LISTEN"],
    doc: `Path of the Unix socket on which the kubelet and crictl reach the daemon; it serves CRI over gRPC and the inspect
      endpoints over HTTP. Its directory is created when missing. A socket on which another daemon answers stops the
      start; a dead one is replaced.`,
  }),
  stream_address: text("127.0.0.1", {
    flag: "stream-address",
    env: ["CONTAINER_STREAM_ADDRESS"],
    checkedAt: "start",
    check: (address) =>
      isIP(address) === 0 ? `${JSON.stringify(address)} is not an IP address, such as 127.0.0.1 or ::1` : undefined,
    doc: "IP address on which the streaming server (exec, attach, port-forward) listens.",
  }),
  stream_port: text("0", {
    flag: "stream-port",
    env: ["CONTAINER_STREAM_PORT"],
    checkedAt: "start",
    check: (port) =>
      /^\d+$/.test(port) && Number(port) > 65535 ? `invalid stream_port ${port}: must be 0 to 65535` : undefined,
    doc: `Port of the streaming server, as text: a number or the name of a service. "0" lets the kernel choose a free
      one.`,
  }),
  stream_enable_tls: bool(false, {
    flag: "stream-enable-tls",
    env: ["CONTAINER_ENABLE_TLS"],
    doc: "Whether the streaming server uses TLS; needs stream_tls_cert and stream_tls_key.",
  }),
  stream_idle_timeout: text("", {
    flag: "stream-idle-timeout",
    env: ["STREAM_IDLE_TIMEOUT"],
    checkedAt: "start",
    check: (value) => (value === "" ? undefined : parses(parseDuration)(value)),
    doc: `How long a streaming connection may be idle before it is closed, as a duration such as "30m". Empty means four
      hours.`,
  }),
  stream_tls_cert: text("", {
    isPath: true,
    flag: "stream-tls-cert",
    env: ["CONTAINER_TLS_CERT"],
    reload: "content",
    doc: "Certificate file (PEM) of the streaming server. Read again whenever the file changes.",
  }),
  stream_tls_key: text("", {
    isPath: true,
    flag: "stream-tls-key",
    env: ["CONTAINER_TLS_KEY"],
    reload: "content",
    doc: "File with the private key (PEM) of the streaming server. Read again whenever the file changes.",
  }),
  stream_tls_ca: text("", {
    isPath: true,
    flag: "stream-tls-ca",
    env: ["CONTAINER_TLS_CA"],
    reload: "content",
    doc: `File with the certificates (PEM) of the authorities whose client certificates the streaming server accepts. When
      set, clients must present one. Read again whenever the file changes.`,
  }),
  tls_min_version: text("VersionTLS12", {
    flag: "tls-min-version",
    env: ["CONTAINER_TLS_MIN_VERSION"],
    check: tlsVersionProblem,
    doc: `Lowest TLS version of the streaming and metrics servers: "VersionTLS12" or "VersionTLS13". Empty means
      "VersionTLS12".`,
  }),
  tls_cipher_suites: list([], {
    flag: "tls-cipher-suites",
    env: ["CONTAINER_TLS_CIPHER_SUITES"],
    check: tlsCipherProblem,
    doc: `Cipher suites of TLS 1.2 for the streaming and metrics servers, by their IANA names, for example
      "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256". An empty list means the defaults of the TLS library. Has no effect with
      "VersionTLS13".`,
  }),
  grpc_max_send_msg_size: int(83886080, {
    flag: "grpc-max-send-msg-size",
    env: ["CONTAINER_GRPC_MAX_SEND_MSG_SIZE"],
    doc: "Largest gRPC message that is sent, in bytes. Zero or less means the default of 80 MiB.",
  }),
  grpc_max_recv_msg_size: int(83886080, {
    flag: "grpc-max-recv-msg-size",
    env: ["CONTAINER_GRPC_MAX_RECV_MSG_SIZE"],
    doc: "Largest gRPC message that is accepted, in bytes. Zero or less means the default of 80 MiB.",
  }),
} satisfies Section;
