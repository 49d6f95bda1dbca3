/** The agent that runs commands in a guest, passed in by SMBIOS strings: the image itself stays unchanged. */
import { SealrootError } from "../errors/index.ts";

/** Name of the virtio-serial port between the agent and us. */
export const AGENT_PORT = "sealroot.agent";

/**
 * With 60 kB of strings in all, every one of them is silently lost (spec/boot-chain.md H, "Size"): stay far below.
 */
const STRINGS_LIMIT_BYTES = 32 * 1024;

/**
 * The agent: finds its port in sysfs (no udev needed), says `ready UPTIME`, then answers requests.
 *
 * Request `ID LENGTH\n` and LENGTH bytes of shell text; answer `ID STATUS OUTPUT-LENGTH ERROR-LENGTH\n`, output, error
 * output. A port is not a terminal: bytes pass unchanged. Needs a POSIX shell with head, cat, mkdir and stat.
 */
export const AGENT_SCRIPT = `for n in /sys/class/virtio-ports/*/name; do
  read -r x < "$n"
  [ "$x" = ${AGENT_PORT} ] && { n=\${n%/name}; port=/dev/\${n##*/}; }
done
[ -n "$port" ] || exit 1
dir=/run/sealroot-agent
mkdir -p $dir
exec 3<>"$port"
read -r up rest < /proc/uptime
echo "ready $up" >&3
while read -r id length <&3; do
  head -c "$length" <&3 > $dir/script
  sh $dir/script > $dir/out 2> $dir/err < /dev/null 3>&-
  status=$?
  set -- $(stat -c %s $dir/out $dir/err)
  echo "$id $status $1 $2" >&3
  [ "$1$2" = 00 ] || cat $dir/out $dir/err >&3
done
`;

/** Skipped in a systemd initrd, which reads the same credentials: the agent belongs to the real system. */
const AGENT_UNIT = `[Unit]
DefaultDependencies=no
ConditionPathExists=!/etc/initrd-release
[Service]
ExecStart=/bin/sh /run/credentials/@system/sealroot.agent
StandardOutput=null
StandardError=journal+console
`;

const AGENT_WANTED = `[Unit]
Wants=sealroot-agent.service
`;

/** systemd credentials (systemd.system-credentials(7)) that start the agent with sysinit.target. */
export const AGENT_CREDENTIALS: Readonly<Record<string, string>> = {
  "systemd.extra-unit.sealroot-agent.service": AGENT_UNIT,
  "systemd.unit-dropin.sysinit.target~sealroot": AGENT_WANTED,
  "sealroot.agent": AGENT_SCRIPT,
};

/**
 * QEMU arguments that pass the credentials and further SMBIOS type 11 strings to the guest.
 *
 * Credentials go as base64, which no comma, quote or line end can break. A further string must not hold a line end;
 * its commas are doubled as QEMU's option syntax wants.
 * @throws SealrootError `usage` when all strings together would be lost by the firmware
 */
export function smbiosArguments(
  credentials: Readonly<Record<string, string>>,
  strings: readonly string[],
): readonly string[] {
  const values = Object.entries(credentials).map(
    ([name, text]) => `io.systemd.credential.binary:${name}=${Buffer.from(text, "utf8").toString("base64")}`,
  );
  values.push(...strings);
  const sizeBytes = values.reduce((sum, value) => sum + Buffer.byteLength(value) + 1, 0);
  if (sizeBytes > STRINGS_LIMIT_BYTES) {
    throw new SealrootError(
      "usage",
      `Cannot give the guest its credentials: ${sizeBytes} bytes of SMBIOS strings, at most ${STRINGS_LIMIT_BYTES} arrive`,
    );
  }
  return values.flatMap((value) => ["-smbios", `type=11,value=${value.replaceAll(",", ",,")}`]);
}
