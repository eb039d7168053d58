// The wiring as arguments of `docker run`, in the order that published clients push them.
import { bundleVariables, type Mount, type Wiring } from "./container-wiring.ts";

export function dockerArguments(wiring: Wiring): string[] {
  return [
    ...wiring.env.flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    ...volume(wiring.ca),
    ...(wiring.bundle === undefined ? [] : bundle(wiring.bundle)),
    ...wiring.stubs.flatMap(volume),
    ...(wiring.extraHost === undefined ? [] : ["--add-host", wiring.extraHost]),
  ];
}

function bundle(mount: Mount): string[] {
  return [...bundleVariables.flatMap((name) => ["-e", `${name}=${mount.target}`]), ...volume(mount)];
}

function volume({ source, target }: Mount): string[] {
  return ["-v", `${source}:${target}:ro`];
}
