/**
 * System calls that answer "not permitted" rather than "no such system call": programs give up on them instead of trying another
 * way, and probing for them tells nothing about the kernel.
 */
export const refusedSyscalls: readonly string[] = [
  // Of the machine, not of a process
  ...["kexec_load", "kexec_file_load", "swapon", "swapoff", "pciconfig_iobase", "pciconfig_read", "pciconfig_write"],
  // A history of holes, or a way around what other rules look at
  ...["userfaultfd", "vmsplice", "move_pages", "migrate_pages", "io_pgetevents", "io_pgetevents_time64"],
  ...["map_shadow_stack", "cachestat", "syscall"],
  // Old forms that no current program makes
  ...["bdflush", "nfsservctl", "nice", "sysfs", "uselib", "ustat", "vm86", "vm86old", "sgetmask", "ssetmask"],
  ...["oldstat", "oldlstat", "oldfstat", "olduname", "oldolduname"],
];
