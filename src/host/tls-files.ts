import { X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Server } from "node:https";
import { createSecureContext, type SecureContextOptions, type SecureVersion } from "node:tls";
import { Fault, type Logger, reasonOf, withStep } from "../base/index.ts";
import { readBounded } from "./bounded-read.ts";

export interface TlsOptions {
  /** Whose certificates they are, for messages: `"the streaming server"`. */
  readonly what: string;
  /** PEM files. They are watched: new connections use what is in them, those that stand keep what they have. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Authorities of client certificates. When given, a client without a certificate of theirs is refused. */
  readonly clientCaFile?: string;
  /** Refuse a certificate whose time is over. */
  readonly refuseExpired?: boolean;
  /** Default TLSv1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's names of the suites of TLS 1.2; none or an empty list: Node's default. Those of TLS 1.3 are always on. */
  readonly ciphers?: readonly string[];
}

const maxFileBytes = 1 << 20;
const lookEveryMs = 1_000;
const tls13Ciphers = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];

/** Reads the files and checks that they fit together. Rejects with a Fault that names what does not. */
export async function loadTls(options: TlsOptions): Promise<SecureContextOptions> {
  const { certificateFile, keyFile, clientCaFile, minVersion = "TLSv1.2", ciphers = [] } = options;
  try {
    const [cert, key, ca] = await Promise.all([
      readBounded(certificateFile, maxFileBytes),
      readBounded(keyFile, maxFileBytes),
      clientCaFile === undefined ? undefined : readBounded(clientCaFile, maxFileBytes),
    ]);
    const context = {
      cert,
      key,
      minVersion: minVersion satisfies SecureVersion,
      ...(ca === undefined ? {} : { ca }),
      ...(ciphers.length === 0 ? {} : { ciphers: [...tls13Ciphers, ...ciphers].join(":") }),
    };
    createSecureContext(context);
    if (options.refuseExpired === true) requireUnexpired(cert);
    return context;
  } catch (error) {
    throw withStep(`loading the certificate ${certificateFile} and the key ${keyFile} of ${options.what}`, error);
  }
}

function requireUnexpired(pem: Buffer): void {
  const { validToDate } = new X509Certificate(pem);
  if (validToDate.getTime() < Date.now()) throw new Fault("invalid", `it has expired on ${validToDate.toISOString()}`);
}

/**
 * Gives the server new certificates when one of the files has changed, until `signal` aborts. While they do not fit together,
 * as between the renewal of a certificate and that of its key, the server keeps the old ones.
 */
export function watchTls(server: Server, options: TlsOptions, context: { signal: AbortSignal; log: Logger }): void {
  const { signal, log } = context;
  let seen: string | undefined;
  let isLooking = false;
  const look = async () => {
    const now = await identityOf(options);
    const isFirst = seen === undefined;
    if (now === seen || signal.aborted) return;
    seen = now;
    if (isFirst) return;
    try {
      const loaded = await loadTls(options);
      if (signal.aborted) return;
      server.setSecureContext(loaded);
      log.info(`certificates of ${options.what} reloaded`, { certificate: options.certificateFile });
    } catch (error) {
      log.warn(`certificates of ${options.what} not reloaded: Keeping previous certificates`, {
        error: reasonOf(error),
      });
    }
  };
  const lookOnce = async () => {
    if (isLooking) return;
    isLooking = true;
    await look().finally(() => {
      isLooking = false;
    });
  };
  void lookOnce();
  const timer = setInterval(() => void lookOnce(), lookEveryMs).unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

/** Changes when a file is written or replaced, also by way of symlinks, as mounted secrets are. */
async function identityOf({ certificateFile, keyFile, clientCaFile }: TlsOptions): Promise<string> {
  const files = [certificateFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])];
  const seen = files.map((file) =>
    stat(file, { bigint: true }).then(
      ({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(":"),
      (error) => reasonOf(error),
    ),
  );
  return (await Promise.all(seen)).join(" ");
}
