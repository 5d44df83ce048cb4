import { createLogger, type Logger } from "../../base/index.ts";
import { type ImageReference, parseReference } from "../../oci/index.ts";
import { createRegistryClient, type RegistryClient, type RegistryClientOptions } from "../client.ts";
import { noCredentials } from "../credentials.ts";
import { mergeRegistriesConf, parseRegistriesConf, type RegistriesConfig } from "../registries-conf.ts";

/** Short enough for tests, long enough for a busy machine. */
export const quickLimits = {
  connectTimeoutMs: 5_000,
  stallTimeoutMs: 5_000,
  attempts: 3,
  baseDelayMs: 1,
  maxDelayMs: 2,
  maxRetryAfterMs: 5,
  progressBytes: 1000,
};

export interface TestClient extends RegistryClient, Disposable {
  /** Everything that was logged, at every level. */
  readonly logged: readonly string[];
}

/** A client that takes the given hosts for insecure. */
export function testClient(insecureHosts: readonly string[], options: Partial<RegistryClientOptions> = {}): TestClient {
  const logged: string[] = [];
  const client = createRegistryClient({
    config: () =>
      registriesConf(insecureHosts.map((host) => `[[registry]]\nlocation="${host}"\ninsecure=true\n`).join("")),
    credentials: noCredentials,
    certsDirs: [],
    userAgent: "crio-test",
    log: recordingLogger(logged),
    env: {},
    ...options,
    limits: { ...quickLimits, ...options.limits },
  });
  return { ...client, logged, [Symbol.dispose]: () => client.close() };
}

export function recordingLogger(lines: string[]): Logger {
  return createLogger({ level: () => "trace", format: "text", write: (line) => lines.push(line) });
}

export function registriesConf(...texts: readonly string[]): RegistriesConfig {
  return mergeRegistriesConf(texts.map((text, index) => parseRegistriesConf(text, `test-${index}.conf`)));
}

/** What a call needs besides the image: this platform, and a deadline that fails the test. */
export function request() {
  return { platform: { os: "linux", architecture: "amd64" }, signal: AbortSignal.timeout(20_000) };
}

export function imageAt(host: string, rest = "team/app:v1"): ImageReference {
  return parseReference(`${host}/${rest}`);
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}
