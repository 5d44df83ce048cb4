import { bool, duration, list, type Section, text } from "../option.ts";

/** `[crio.nri]`: the Node Resource Interface, plugins that see and adjust containers. */
export const nriOptions = {
  enable_nri: bool(true, {
    flag: "enable-nri",
    doc: "Whether NRI plugins take part in the life of containers.",
  }),
  nri_listen: text("/var/run/nri/nri.sock", {
    isPath: true,
    flag: "nri-listen",
    notYet: "there are no NRI plugins",
    doc: "Path of the Unix socket on which NRI plugins connect.",
  }),
  nri_plugin_dir: text("/opt/nri/plugins", {
    isPath: true,
    flag: "nri-plugin-dir",
    notYet: "there are no NRI plugins",
    doc: "Directory with NRI plugins that are started together with the daemon.",
  }),
  nri_plugin_config_dir: text("/etc/nri/conf.d", {
    isPath: true,
    flag: "nri-plugin-config-dir",
    notYet: "there are no NRI plugins",
    doc: "Directory with the configuration of the plugins in nri_plugin_dir.",
  }),
  nri_plugin_registration_timeout: duration(5000, {
    flag: "nri-plugin-registration-timeout",
    notYet: "there are no NRI plugins",
    doc: "How long a plugin has to register after it has connected.",
  }),
  nri_plugin_request_timeout: duration(2000, {
    flag: "nri-plugin-request-timeout",
    notYet: "there are no NRI plugins",
    doc: "How long a plugin has to answer one request before it is disconnected.",
  }),
  nri_disable_connections: bool(false, {
    flag: "nri-disable-connections",
    doc: "Whether plugins that were not started by the daemon are refused.",
  }),
} satisfies Section;

/** `[crio.nri.default_validator]`: the built-in check of what plugins ask for. */
export const nriValidatorOptions = {
  nri_enable_default_validator: bool(false, {
    flag: "nri-enable-default-validator",
    notYet: "there are no NRI plugins",
    doc: "Whether the changes that plugins ask for are checked against the rules below.",
  }),
  nri_validator_reject_oci_hook_adjustment: bool(false, {
    flag: "nri-validator-reject-oci-hook-adjustment",
    notYet: "there are no NRI plugins",
    doc: "Whether containers are refused when a plugin adds OCI hooks to them.",
  }),
  nri_validator_reject_runtime_default_seccomp_adjustment: bool(false, {
    flag: "nri-validator-reject-runtime-default-seccomp-adjustment",
    notYet: "there are no NRI plugins",
    doc: "Whether containers are refused when a plugin changes their RuntimeDefault seccomp profile.",
  }),
  nri_validator_reject_unconfined_seccomp_adjustment: bool(false, {
    flag: "nri-validator-reject-unconfined-seccomp-adjustment",
    notYet: "there are no NRI plugins",
    doc: "Whether unconfined containers are refused when a plugin sets a seccomp profile for them.",
  }),
  nri_validator_reject_custom_seccomp_adjustment: bool(false, {
    flag: "nri-validator-reject-custom-seccomp-adjustment",
    notYet: "there are no NRI plugins",
    doc: "Whether containers are refused when a plugin changes their own (Localhost) seccomp profile.",
  }),
  nri_validator_reject_namespace_adjustment: bool(false, {
    flag: "nri-validator-reject-namespace-adjustment",
    notYet: "there are no NRI plugins",
    doc: "Whether containers are refused when a plugin changes their namespaces.",
  }),
  nri_validator_required_plugins: list([], {
    flag: "nri-validator-required-plugins",
    notYet: "there are no NRI plugins",
    doc: "Plugins without whose word no container is created.",
  }),
  nri_validator_tolerate_missing_plugins_annotation: text("", {
    flag: "nri-validator-tolerate-missing-plugins-annotation",
    notYet: "there are no NRI plugins",
    doc: "Annotation by which a pod says that it may run without the required plugins. Empty means there is none.",
  }),
} satisfies Section;
