/** The version of CRI-O that this program is a drop-in replacement for, and its own. package.json says the same. */
export const version = "1.37.0";

/** What is known about the build and the host: the answer of `crio version`, with the names CRI-O uses. */
export interface VersionInfo {
  readonly version: string;
  readonly gitCommit: string;
  readonly gitCommitDate: string;
  /** `clean` or `dirty`. */
  readonly gitTreeState: string;
  readonly buildDate: string;
  /** The JavaScript runtime takes the place of Go's version: `node v26.0.0`. */
  readonly goVersion: string;
  /** The JavaScript engine takes the place of the compiler: `v8 14.0`. */
  readonly compiler: string;
  /** `os/arch`, as Go names them. */
  readonly platform: string;
  readonly linkmode: string;
  readonly buildTags: readonly string[];
  readonly ldFlags: string;
  readonly seccompEnabled: boolean;
  readonly appArmorEnabled: boolean;
  /** `name version sum` of each library; only asked for with `--verbose`. */
  readonly dependencies: readonly string[];
}
