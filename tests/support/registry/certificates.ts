import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "../programs.ts";

/** A certificate authority made for one node, and a certificate of it for the registry. PEM. */
export interface Certificates {
  readonly authorityFile: string;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Makes a certificate authority and a server certificate for `names` and 127.0.0.1, with openssl, in `folder`: `ca.crt`, `ca.key`, `server.crt`, `server.key`. */
export async function createCertificates(folder: string, names: readonly string[]): Promise<Certificates> {
  await mkdir(folder, { recursive: true });
  const at = (file: string) => join(folder, file);
  const openssl = (...args: string[]) => mustRun(["openssl", ...args], { timeoutMs: 60_000 });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
  await openssl(
    "req",
    "-x509",
    ...newKey,
    "-subj",
    "/CN=crio-ts test authority",
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.crt"),
  );
  await writeFile(
    at("names.ext"),
    `subjectAltName=${[...names.map((name) => `DNS:${name}`), "IP:127.0.0.1"].join(",")}\n`,
  );
  await openssl(
    "req",
    ...newKey.slice(0, 5),
    "-subj",
    "/CN=registry",
    "-keyout",
    at("server.key"),
    "-out",
    at("server.csr"),
  );
  const signed = [
    "-CA",
    at("ca.crt"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-days",
    "30",
    "-extfile",
    at("names.ext"),
  ];
  await openssl("x509", "-req", "-in", at("server.csr"), ...signed, "-out", at("server.crt"));
  const read = (file: string) => readFile(at(file), "utf8");
  return {
    authorityFile: at("ca.crt"),
    authority: await read("ca.crt"),
    certificate: await read("server.crt"),
    key: await read("server.key"),
  };
}

/** Lets OpenSSL, Go and Node programs of this node trust the authority. Returns the environment that Node needs for it. */
export async function trustAuthority({
  authority,
  authorityFile,
}: Certificates): Promise<Readonly<Record<string, string>>> {
  const bundle = "/etc/ssl/certs/ca-certificates.crt";
  await writeFile(bundle, `${await readFile(bundle, "utf8")}${authority}`);
  return { NODE_EXTRA_CA_CERTS: authorityFile };
}
