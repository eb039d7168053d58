// The text that tells an agent how to behave behind the gateway.

export function gatewaySkill(dashboardUrl: string): string {
  return `---
name: onecli-gateway
description: How to make network calls from behind the OneCLI gateway - credentials, refusals, approvals. Read it before the first call to an API, and whenever a call is refused.
---

# Behind the OneCLI gateway

Every HTTP call you make goes through a gateway. It knows who you are, decides whether the call may happen, puts the
real credential on the wire, and writes the call down. You never hold a real key, and you do not need one.

## Calls

- Use the normal address of the service (\`https://api.example.com/…\`). \`HTTPS_PROXY\` and the certificate variables
  are set; leave them as they are. Never switch off certificate checks (\`-k\`, \`verify=False\`, \`NODE_TLS_REJECT_UNAUTHORIZED=0\`).
- Make the call even when you hold no key for the service: the gateway adds one where your owner has stored it.
- Where a program insists on a key, give it the value of its environment variable. \`placeholder\` and values that
  contain \`OneCLIFake\` are fake keys: they are worth nothing elsewhere and are exchanged on the way.
- Put a fake key only where the service expects its key. Anywhere else (other hosts, message texts, files, query
  strings of other services) the call is refused and recorded.
- Use https. Credentials are never added to plain \`http://\` calls.
- A fake key in an answer stands for the real one, which was removed. That is expected:
  tokens that a service issues to you are fake ones too. Use them as they are, and where the real ones are for.

## When a call is refused

The body is JSON with a stable \`error\`, a \`message\` and often \`next_steps\`. Read it before you do anything else.

| status, error | meaning | what to do |
|---|---|---|
| 403 \`blocked_by_policy\` | a rule forbids this call; \`rule_name\` says which | stop; tell your user which rule it was |
| 403 \`blocked_by_default_policy\` | no rule allows this host or call | ask your user to allow it; show \`dashboard_url\` |
| 403 \`placeholder_not_injected\` | a fake key went where none is exchanged | check host, path and where you put the key |
| 403 \`destination_not_allowed\` | a private or reserved address | do not look for another way to it |
| 403 \`manual_approval_denied\` | a person said no, or nobody answered | do not repeat it; ask your user |
| 401 or 403 from the service, with \`x-onecli-hint\` | no credential is stored for this service | show your user the link in the hint |
| 429 \`rate_limited\` | your limit is used up | wait as long as \`Retry-After\` says, then once more |
| 407 | the gateway does not know your token | stop; your user must start you again |
| 502, 504 | the service can't be reached or its certificate is wrong | try once more, then report it |
| 503 | the gateway is busy or restarting | wait as long as \`Retry-After\` says |

A field \`x-should-retry: false\` means that the same call will be refused again.

## Never

- Do not ask your user to paste a key into the conversation. Ask them to store it at ${dashboardUrl} instead.
- Do not try to get round a refusal: no other proxy, no direct connection, no encoded address, no other tool.
- Do not print, store or send values of the proxy variables: they hold your own token.

A call may take minutes while a person looks at it. Leave it open; give your client a timeout of five minutes.
`;
}
