/** Limits of the label `size`, as CRI-O has them: decimal, however the label is written. */
const sizes: readonly (readonly [limit: number, label: string])[] = [
  [10e9, ">10 GiB"],
  [1e9, ">1 GiB"],
  [500e6, ">500 MiB"],
  [400e6, ">400 MiB"],
  [300e6, ">300 MiB"],
  [200e6, ">200 MiB"],
  [100e6, ">100 MiB"],
  [50e6, ">50 MiB"],
  [10e6, ">10 MiB"],
  [1e6, ">1 MiB"],
  [1e3, ">1 KiB"],
];

/** The label of so many bytes. */
export function sizeLabel(bytes: number): string {
  return sizes.find(([limit]) => bytes > limit)?.[1] ?? ">0 B";
}

/** The errors of registries by the code that the distribution specification gives them, and the words by which they are told. */
const registryErrors: readonly (readonly [code: string, words: RegExp])[] = [
  ["BLOB_UNKNOWN", /blob unknown/i],
  ["BLOB_UPLOAD_INVALID", /blob upload invalid/i],
  ["BLOB_UPLOAD_UNKNOWN", /blob upload unknown/i],
  ["DIGEST_INVALID", /provided digest did not match|digest of what came/i],
  ["MANIFEST_BLOB_UNKNOWN", /blob unknown to registry/i],
  ["MANIFEST_INVALID", /manifest invalid/i],
  ["MANIFEST_UNKNOWN", /manifest unknown/i],
  ["NAME_INVALID", /invalid repository name/i],
  ["NAME_UNKNOWN", /repository name not known|name unknown/i],
  ["SIZE_INVALID", /provided length did not match/i],
  ["UNAUTHORIZED", /authentication required|unauthorized/i],
  ["DENIED", /access to the resource is denied|denied/i],
  ["UNSUPPORTED", /operation is unsupported/i],
  ["TOOMANYREQUESTS", /too many requests/i],
  ["CONNECTION_REFUSED", /connection refused|ECONNREFUSED/i],
  ["CONNECTION_TIMEOUT", /timed? ?out|ETIMEDOUT|no answer within|not connected after/i],
  ["NOT_FOUND", /not found/i],
];

/** The label `error` of a pull that failed with these words. */
export function pullErrorLabel(words: string): string {
  return registryErrors.find(([, pattern]) => pattern.test(words))?.[0] ?? "UNKNOWN";
}
