import { bool, list, type Section, text } from "../option.ts";

/** `[crio]`: where things are kept on disk, and what is done about them when the daemon starts. */
export const crioOptions = {
  root: text("/var/lib/containers/storage", {
    isPath: true,
    flag: "root",
    alias: "r",
    env: ["CONTAINER_ROOT"],
    merge: "keep-when-empty",
    doc: `Directory of images, layers and containers that outlive a reboot (the graph root of containers/storage, shared
      with podman, skopeo and buildah). The default comes from storage.conf.`,
  }),
  runroot: text("/run/containers/storage", {
    isPath: true,
    flag: "runroot",
    env: ["CONTAINER_RUNROOT"],
    merge: "keep-when-empty",
    doc: `Directory of container state that must not outlive a reboot (the run root of containers/storage), on a tmpfs.
      The default comes from storage.conf.`,
  }),
  imagestore: text("", {
    isPath: true,
    flag: "imagestore",
    env: ["CONTAINER_IMAGESTORE"],
    doc: `A separate directory for images; root then holds containers only. Must differ from root. Empty keeps images in
      root. The default comes from storage.conf.`,
  }),
  storage_driver: text("", {
    flag: "storage-driver",
    alias: "s",
    env: ["CONTAINER_STORAGE_DRIVER"],
    merge: "keep-when-empty",
    doc: `Driver that stacks the layers of images and containers; "overlay" is the one to use. The default comes from
      storage.conf.`,
  }),
  storage_option: list([], {
    flag: "storage-opt",
    env: ["CONTAINER_STORAGE_OPT"],
    merge: "append",
    doc: `Options of the storage driver, each as "driver.key=value", for example "overlay.mountopt=nodev,metacopy=on".
      Every configuration file adds to the list, which starts with the options of storage.conf; an option given again
      moves to the end. The flag replaces the whole list.`,
  }),
  log_dir: text("/var/log/crio/pods", {
    flag: "log-dir",
    env: ["CONTAINER_LOG_DIR"],
    checkedAt: "start",
    check: (path) => (path.startsWith("/") ? undefined : "log_dir is not an absolute path"),
    doc: `Directory for container logs of pods whose request names none (the kubelet always names one). An absolute path;
      created with mode 0700 when missing.`,
  }),
  version_file: text("/var/run/crio/version", {
    isPath: true,
    flag: "version-file",
    env: ["CONTAINER_VERSION_FILE"],
    doc: `File on a tmpfs into which the running version is written. Found missing at start it tells that the node was
      rebooted, and containers are wiped from storage. Empty turns this off.`,
  }),
  version_file_persist: text("", {
    isPath: true,
    flag: "version-file-persist",
    env: ["CONTAINER_VERSION_FILE_PERSIST"],
    doc: `File on disk into which the running version is written. Found at start with an older minor version it tells
      that CRI-O was upgraded, and images are wiped from storage. Empty turns this off.`,
  }),
  clean_shutdown_file: text("/var/lib/crio/clean.shutdown", {
    isPath: true,
    flag: "clean-shutdown-file",
    env: ["CONTAINER_CLEAN_SHUTDOWN_FILE"],
    doc: `File that is written when everything has been flushed to disk at shutdown. Found missing at start it tells of a
      power loss or crash, and storage is checked, or wiped when it cannot be trusted. Empty turns this off.`,
  }),
  internal_wipe: bool(true, {
    flag: "internal-wipe",
    env: ["CONTAINER_INTERNAL_WIPE"],
    deprecated: "wiping is always done by the daemon itself; remove the key",
    doc: `Whether the daemon wipes containers after a reboot and images after an upgrade when it starts. False leaves this
      to "crio wipe", run before the daemon.`,
  }),
  internal_repair: bool(true, {
    flag: "internal-repair",
    env: ["CONTAINER_INTERNAL_REPAIR"],
    doc: `Whether the daemon checks the storage directory for damage when it starts after an unclean shutdown, and repairs
      what it can.`,
  }),
} satisfies Section;
