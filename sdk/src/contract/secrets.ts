import { z } from "zod";
import { displayName, hostPattern, httpMethod, id, pathPattern, timestamp } from "./common.ts";

/** RFC 9110 section 5.6.2: a field name is a token. */
const fieldName = z
  .string()
  .max(256)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a header field name");

const valueFormat = z
  .string()
  .max(1000)
  .regex(/^[^\r\n\0]*$/, "must not contain line breaks")
  .refine((text) => text.split("{value}").length === 2, "must contain {value} exactly once");

/** Where a fake key may stand in a request to be swapped for the real one. */
export const placeholderSurface = z.enum(["header", "query", "path", "body", "websocket"]);

export const injection = z.union([
  z.strictObject({ headerName: fieldName, valueFormat: valueFormat.default("{value}") }),
  z.strictObject({ paramName: z.string().min(1).max(256), paramFormat: valueFormat.default("{value}") }),
  z.strictObject({
    pathTemplate: z.string().startsWith("/", "must start with /").max(1000).includes("{value}", {
      message: "must contain {value}",
    }),
  }),
  z.strictObject({
    pathRegex: z.string().min(1).max(500),
    pathReplacement: z.string().max(1000).includes("{value}", { message: "must contain {value}" }),
  }),
  z.strictObject({
    basic: z.strictObject({
      username: z
        .string()
        .max(255)
        .regex(/^[^:\p{Cc}]*$/u, "must not contain a colon or control characters"),
    }),
  }),
  z.strictObject({ placeholder: z.array(placeholderSurface).min(1) }),
]);
export type Injection = z.infer<typeof injection>;

export const injectionConfig = z.union([injection, z.array(injection).min(1).max(8)]);
export type InjectionConfig = z.infer<typeof injectionConfig>;

export const secretType = z.enum(["anthropic", "openai", "generic"]);
export type SecretType = z.infer<typeof secretType>;

const SECRET_VALUE_CHARACTERS_MAX = 10_000;
const secretValue = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(SECRET_VALUE_CHARACTERS_MAX, `at most ${SECRET_VALUE_CHARACTERS_MAX} characters`);

const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be an environment variable name");

export const secretMetadata = z.looseObject({
  /** anthropic only: an API key or a Claude Code OAuth token */
  authMode: z.enum(["api-key", "oauth"]).optional(),
});

/** How a secret is renewed: a command or a webhook gives the new value. */
export const rotation = z.strictObject({
  /** e.g. `30d`, `12h`; absent = by hand only */
  rotateEvery: z
    .string()
    .regex(/^[1-9][0-9]{0,4}[mhd]$/, "must be a number and m, h or d, e.g. 30d")
    .optional(),
  /** argv of a program whose standard output is the new value; run without a shell */
  command: z.array(z.string().min(1)).min(1).max(32).optional(),
  /** https URL that answers `{"value":"…"}` to a POST */
  webhook: z.url({ protocol: /^https$/ }).optional(),
  /** called with the new value before the switch; 2xx means good */
  testUrl: z.url({ protocol: /^https$/ }).optional(),
});
export type Rotation = z.infer<typeof rotation>;

/** The secret is used at a token endpoint: the tokens in its answers come back as fake keys, good for this place. */
export const issuesTokens = z.strictObject({
  hostPattern,
  pathPattern: pathPattern.nullable().default(null),
});
export type IssuesTokens = z.output<typeof issuesTokens>;

/** A token that an origin issued and an agent holds a fake key for. */
const issuedToken = z.object({ bySecretId: id, toAgentId: id, expiresAt: timestamp.nullable() });

export const secret = z.object({
  id,
  name: z.string(),
  type: secretType,
  valueSource: z.literal("inline"),
  opRef: z.null(),
  hostPattern: z.string(),
  pathPattern: z.string().nullable(),
  methods: z.array(httpMethod).nullable(),
  injectionConfig: injectionConfig.nullable(),
  /** variable under which agents get this secret's fake key */
  envName: z.string().nullable(),
  metadata: secretMetadata.nullable(),
  rotation: rotation.nullable(),
  rotatedAt: timestamp.nullable(),
  issuesTokens: issuesTokens.nullable(),
  /** null = stored by an administrator */
  issued: issuedToken.nullable(),
  scope: z.literal("project"),
  createdAt: timestamp,
  typeLabel: z.string(),
});
export type SecretInfo = z.infer<typeof secret>;

export const createSecret = z.object({
  name: displayName,
  type: secretType,
  value: secretValue,
  hostPattern,
  pathPattern: pathPattern.nullish(),
  methods: z.array(httpMethod).min(1).nullish(),
  injectionConfig: injectionConfig.nullish(),
  envName: environmentName.nullish(),
  rotation: rotation.nullish(),
  issuesTokens: issuesTokens.nullish(),
});
export type CreateSecret = z.input<typeof createSecret>;

export const createdSecret = secret
  .pick({
    id: true,
    name: true,
    type: true,
    valueSource: true,
    opRef: true,
    hostPattern: true,
    pathPattern: true,
    createdAt: true,
  })
  .extend({ preview: z.string(), warnings: z.array(z.string()).optional() });
export type CreatedSecret = z.infer<typeof createdSecret>;

export const updateSecret = z
  .object({
    name: displayName,
    value: secretValue,
    hostPattern,
    pathPattern: pathPattern.nullable(),
    methods: z.array(httpMethod).min(1).nullable(),
    injectionConfig: injectionConfig.nullable(),
    envName: environmentName.nullable(),
    rotation: rotation.nullable(),
    issuesTokens: issuesTokens.nullable(),
  })
  .partial()
  .refine((value) => Object.keys(value).length > 0, "name at least one member to change");
export type UpdateSecret = z.input<typeof updateSecret>;

export const rotatedSecret = z.object({ success: z.literal(true), rotatedAt: timestamp });
