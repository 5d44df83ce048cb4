/** The name of the profile that crio brings along. */
export const defaultAppArmorProfile = "crio-default";

export interface AppArmorIncludes {
  /** Whether /etc/apparmor.d has these files; without them the profile has to do without what they define. */
  readonly tunablesGlobal: boolean;
  readonly abstractionsBase: boolean;
}

/**
 * The text of the default profile in AppArmor's language (apparmor.d(5)): everything that capabilities, namespaces and seccomp
 * allow, except changing the kernel through /proc and /sys, mounting, and signals or tracing across its border.
 */
export function appArmorProfileText(name: string, { tunablesGlobal, abstractionsBase }: AppArmorIncludes): string {
  const lines = [
    tunablesGlobal ? "#include <tunables/global>" : "@{PROC}=/proc/",
    "",
    `profile ${name} flags=(attach_disconnected,mediate_deleted) {`,
    ...(abstractionsBase ? ["#include <abstractions/base>", ""] : []),
    "network,",
    "capability,",
    "file,",
    "umount,",
    "deny mount,",
    "",
    "# Those outside may stop it, whatever profile a distribution gives the runtime; inside, anything goes.",
    "signal (receive) peer=unconfined,",
    "signal (receive) peer={crun,runc},",
    "signal (receive) peer={/usr/bin/,/usr/sbin/,/usr/local/bin/,/usr/local/sbin/}{crun,runc},",
    `signal (send,receive) peer=${name},`,
    `ptrace (trace,read,tracedby,readby) peer=${name},`,
    "",
    "# /proc: the processes' own directories may be written, and the sysctls of System V shared memory.",
    "deny @{PROC}/* w,",
    "deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9]*}/** w,",
    "deny @{PROC}/sys/[^k]** w,",
    "deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,",
    "deny @{PROC}/{sysrq-trigger,kcore} rwklx,",
    "",
    "# /sys: the control groups may be written.",
    "deny /sys/{[^f]*,f[^s]*}/** wklx,",
    "deny /sys/fs/{[^c]*,c[^g]*,cg[^r]*}/** wklx,",
    "deny /sys/firmware/** rwklx,",
    "deny /sys/kernel/security/** rwklx,",
    "}",
  ];
  return `${lines.join("\n")}\n`;
}
