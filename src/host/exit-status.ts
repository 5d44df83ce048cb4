/** How a process ended. */
export type ExitStatus =
  | { readonly is: "exited"; readonly code: number }
  | { readonly is: "killed"; readonly signal: number };

/** The status word of waitpid(2). Stopped and continued are not among them: nobody here asks to be told. */
export function exitStatusOf(word: number): ExitStatus {
  const signal = word & 0x7f;
  return signal === 0 ? { is: "exited", code: (word >> 8) & 0xff } : { is: "killed", signal };
}

/** `"exit status 2"` or `"signal 9"`, as in the errors of Go programs. */
export function exitStatusText(status: ExitStatus): string {
  return status.is === "exited" ? `exit status ${status.code}` : `signal ${status.signal}`;
}
