/** What a guard is told; the same in a node and in the virtual machine. */
export interface GuardOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  /** Folder of fixture images to serve, or undefined for no registry. */
  readonly fixtures: string | undefined;
  readonly leaksFail: boolean;
  /** File that the report is written to. */
  readonly reportFile: string;
}

/** What a guard saw. */
export interface GuardReport {
  readonly code: number;
  readonly timedOut: boolean;
  /** What the command left behind, one readable line each. */
  readonly leaks: readonly string[];
}

/** The guard's exit code where the command's was 0 but something was left over. */
export const leakExitCode = 70;
