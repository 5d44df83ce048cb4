/**
 * The `cpu.weight` (1 to 10000) of cgroup v2 for the `cpu.shares` (2 to 262144) of v1, by the curve that OCI runtimes
 * use: 2, 1024 and 262144 shares are 1, 100 and 10000.
 */
export function weightFromShares(shares: bigint): bigint {
  if (shares <= 2n) return 1n;
  if (shares >= 262_144n) return 10_000n;
  const log = Math.log2(Number(shares));
  return BigInt(Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34)));
}

/** The `CPUWeight` that systemd itself makes of `CPUShares` on cgroup v2: in proportion, 1024 being 100. */
export function systemdWeightFromShares(shares: bigint): bigint {
  const weight = (shares * 100n) / 1024n;
  return weight < 1n ? 1n : weight > 10_000n ? 10_000n : weight;
}
