import { duration, list, type Section, text } from "../option.ts";

/** `[crio.network]`: the CNI plugins. */
export const networkOptions = {
  cni_default_network: text("", {
    flag: "cni-default-network",
    env: ["CONTAINER_CNI_DEFAULT_NETWORK"],
    doc: "Name of the CNI network of pods. Empty means the first one in network_dir by file name.",
  }),
  network_dir: text("/etc/cni/net.d/", {
    isPath: true,
    flag: "cni-config-dir",
    env: ["CONTAINER_CNI_CONFIG_DIR"],
    doc: "Directory with CNI network configurations (*.conf, *.conflist, *.json), watched for changes.",
  }),
  plugin_dirs: list(["/opt/cni/bin/"], {
    isPath: true,
    flag: "cni-plugin-dir",
    env: ["CONTAINER_CNI_PLUGIN_DIR"],
    doc: "Directories with CNI plugins, searched in this order.",
  }),
  plugin_dir: text("", {
    isPath: true,
    deprecated: "add the directory to plugin_dirs",
    doc: "One more directory with CNI plugins, searched after plugin_dirs.",
  }),
  cni_status_grace_period: duration(0, {
    flag: "cni-status-grace-period",
    env: ["CNI_STATUS_GRACE_PERIOD"],
    check: (period) => (period < 0 ? "cni_status_grace_period must not be negative" : undefined),
    doc: `How long the network plugin may report failure before the node's network counts as not ready. Zero asks it only
      until it is ready for the first time.`,
  }),
} satisfies Section;
