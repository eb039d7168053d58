// The one page: is the gateway there, which version, what to type next.
import { useEffect, useState } from "react";
import { nextCommands } from "./commands.ts";
import { askStatus, type Status } from "./gateway.ts";

const ASK_AGAIN_MS = 5_000;

export function Page() {
  const status = useStatus();
  return (
    <main>
      <h1>OneCLI gateway</h1>
      <p role="status" className={status.kind}>
        {sentence(status)}
      </p>
      <h2>Next, in a terminal in the gateway’s folder</h2>
      <dl>
        {nextCommands.map(({ purpose, line }) => (
          <div key={line}>
            <dt>{purpose}</dt>
            <dd>
              <code>{line}</code>
            </dd>
          </div>
        ))}
      </dl>
      <p>
        Secrets, rules and the audit are managed with the <code>onecli</code> command; this page shows no data
        and asks for no key.
      </p>
    </main>
  );
}

function sentence(status: Status): string {
  if (status.kind === "running") return `The gateway is running, version ${status.version}.`;
  return status.kind === "asking" ? "Asking the gateway …" : "The gateway does not answer. Is it stopped?";
}

function useStatus(): Status {
  const [status, setStatus] = useState<Status>({ kind: "asking" });
  useEffect(() => {
    const leaving = new AbortController();
    const ask = async () => {
      const answer = await askStatus(leaving.signal);
      if (!leaving.signal.aborted) setStatus(answer);
    };
    void ask();
    const timer = setInterval(() => void ask(), ASK_AGAIN_MS);
    return () => {
      clearInterval(timer);
      leaving.abort();
    };
  }, []);
  return status;
}
