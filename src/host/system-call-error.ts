import { getSystemErrorMessage } from "node:util";

/**
 * A system call that failed. `code` is the errno name (`"ENOENT"`, or `"E<number>"` for one without a known name),
 * so that `errnoOf` of base understands it as it does Node's own errors.
 */
export class SystemCallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(syscall: string, errno: number, options: { readonly code: string; readonly path?: string | undefined }) {
    const subject = options.path === undefined ? "" : ` ${JSON.stringify(options.path)}`;
    super(`${syscall}${subject}: ${options.code}${remarkOn(errno)}`);
    this.name = "SystemCallError";
    this.code = options.code;
    this.errno = errno;
    this.syscall = syscall;
    this.path = options.path;
  }
}

/** `": no such file or directory"`, or nothing for an errno that Node has no words for. */
function remarkOn(errno: number): string {
  const words = getSystemErrorMessage(-errno) ?? "";
  return words === "" || words.startsWith("Unknown system error") ? "" : `: ${words}`;
}
