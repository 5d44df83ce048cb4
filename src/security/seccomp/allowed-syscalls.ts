/**
 * The system calls that any container may make, by what they are for: what a libc, a language runtime, a shell, a database or
 * systemd in a container needs and the kernel guards by itself. 32-bit forms stand beside their 64-bit ones. A name that an
 * architecture or libseccomp does not know is passed over by the runtimes. Not here: what depends on a capability or an argument
 * (builtin-profile.ts), and what must fail (refused-syscalls.ts). All else answers "no such system call".
 */
export const allowedSyscalls: readonly string[] = [
  // Processes and threads (clone, clone3 and unshare have rules of their own)
  ...["execve", "execveat", "exit", "exit_group", "fork", "vfork", "wait4", "waitid", "waitpid"],
  ...["getpid", "getppid", "gettid", "getpgid", "getpgrp", "getsid", "setpgid", "setsid", "prctl"],
  ...[
    "set_tid_address",
    "set_thread_area",
    "get_thread_area",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "membarrier",
  ],
  ...["futex", "futex_time64", "futex_wait", "futex_waitv", "futex_wake", "futex_requeue", "restart_syscall", "pause"],
  ...["pidfd_open", "pidfd_getfd", "pidfd_send_signal", "process_mrelease"],
  // Debuggers; the kernel's ptrace rules apply
  ...["ptrace", "process_vm_readv", "process_vm_writev"],

  // Signals
  ...["kill", "tkill", "tgkill", "signal", "sigaltstack", "sigprocmask", "sigreturn", "signalfd", "signalfd4"],
  ...["rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigreturn"],
  ...["rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64"],

  // Users, groups, capabilities
  ...["getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32"],
  ...["setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid", "setregid32"],
  ...["getresuid", "getresuid32", "getresgid", "getresgid32", "setresuid", "setresuid32", "setresgid", "setresgid32"],
  ...["setfsuid", "setfsuid32", "setfsgid", "setfsgid32", "getgroups", "getgroups32", "setgroups", "setgroups32"],
  ...["capget", "capset"],

  // Scheduling, limits, what the machine has
  ...["getpriority", "setpriority", "getrlimit", "setrlimit", "ugetrlimit", "prlimit64", "getrusage", "getcpu"],
  ...["sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getattr", "sched_setattr"],
  ...["sched_getparam", "sched_setparam", "sched_getscheduler", "sched_setscheduler"],
  ...["sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "sched_rr_get_interval_time64"],
  ...["ioprio_get", "ioprio_set", "get_mempolicy", "set_mempolicy", "mbind"],
  ...["uname", "sysinfo", "getrandom", "umask", "syslog"],

  // Memory
  ...["brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "remap_file_pages"],
  ...["mlock", "mlock2", "mlockall", "munlock", "munlockall", "memfd_create", "memfd_secret"],
  ...["pkey_alloc", "pkey_free", "pkey_mprotect"],

  // Time
  ...["time", "times", "gettimeofday", "nanosleep", "alarm", "getitimer", "setitimer"],
  ...[
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_getres_time64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
  ],
  // Reading needs no capability; changing does, and the kernel asks for it
  ...["adjtimex", "clock_adjtime", "clock_adjtime64"],
  ...[
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_gettime64",
    "timer_settime",
    "timer_settime64",
  ],
  ...["timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64"],

  // Opening, reading, writing
  ...[
    "open",
    "openat",
    "openat2",
    "creat",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "fcntl64",
    "flock",
    "ioctl",
  ],
  ...["read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2"],
  ...["lseek", "_llseek", "sendfile", "sendfile64", "copy_file_range", "splice", "tee", "readahead"],
  ...["truncate", "truncate64", "ftruncate", "ftruncate64", "fallocate", "fadvise64", "fadvise64_64"],
  ...["sync", "syncfs", "fsync", "fdatasync", "sync_file_range"],
  ...["pipe", "pipe2", "eventfd", "eventfd2", "name_to_handle_at"],
  ...["io_setup", "io_submit", "io_getevents", "io_cancel", "io_destroy"],

  // Waiting for several
  ...["select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64"],
  ...[
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_wait",
    "epoll_wait_old",
    "epoll_pwait",
    "epoll_pwait2",
  ],
  ...["inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "fanotify_init", "fanotify_mark"],

  // Names, modes, times, attributes
  ...["access", "faccessat", "faccessat2", "chdir", "fchdir", "getcwd", "getdents", "getdents64"],
  ...["stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "fstatat64", "newfstatat", "statx"],
  ...["statfs", "statfs64", "fstatfs", "fstatfs64"],
  ...[
    "mkdir",
    "mkdirat",
    "rmdir",
    "mknod",
    "mknodat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "readlink",
    "readlinkat",
  ],
  ...["unlink", "unlinkat", "rename", "renameat", "renameat2"],
  ...[
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "chown32",
    "fchown",
    "fchown32",
    "fchownat",
    "lchown",
    "lchown32",
  ],
  ...["utime", "utimes", "futimesat", "utimensat", "utimensat_time64"],
  ...["getxattr", "lgetxattr", "fgetxattr", "setxattr", "lsetxattr", "fsetxattr"],
  ...["listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr"],

  // Mounts: the kernel asks for CAP_SYS_ADMIN in the mount namespace, which a container may have within its user namespace
  ...["mount", "umount", "umount2", "pivot_root", "mount_setattr", "move_mount", "open_tree"],
  ...["fsopen", "fsconfig", "fsmount", "fspick", "reboot"],

  // Sockets (socket has rules of its own)
  ...["socketpair", "socketcall", "bind", "listen", "accept", "accept4", "connect", "shutdown"],
  ...["getsockname", "getpeername", "getsockopt", "setsockopt"],
  ...["send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64"],

  // System V and POSIX IPC
  ...["ipc", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64"],
  ...["shmat", "shmctl", "shmdt", "shmget"],
  ...["mq_open", "mq_unlink", "mq_notify", "mq_getsetattr"],
  ...["mq_timedsend", "mq_timedsend_time64", "mq_timedreceive", "mq_timedreceive_time64"],

  // Giving up rights
  ...["seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "keyctl"],
];
