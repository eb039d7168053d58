// The tables as Kysely sees them; migrations/ makes them. Times are `ms` since the epoch.

export interface Database {
  meta: { key: string; value: string };
  keys: { id: string; wrapped: Uint8Array; kek_id: string; state: string; created_at: number };
  authority: { id: string; certificate: string; key_sealed: Uint8Array; created_at: number };
  api_keys: { id: string; name: string; role: string; hash: string; preview: string; created_at: number };
  agents: AgentsTable;
  agent_tokens: {
    id: string;
    agent_id: string;
    hash: string;
    labels: string;
    expires_at: number | null;
    created_at: number;
  };
  secrets: SecretsTable;
  agent_secrets: { agent_id: string; secret_id: string };
  rules: RulesTable;
  rate_counters: {
    rule_id: string;
    agent_id: string;
    window_ms: number;
    window_start: number;
    count: number;
  };
  audit_records: { seq: number; body: string; hash: Uint8Array };
  audit_segments: AuditSegmentsTable;
}

interface AgentsTable {
  id: string;
  name: string;
  identifier: string;
  /** 0 or 1 */
  is_default: number;
  secret_mode: string;
  default_action: string | null;
  created_by: string | null;
  token_hash: string;
  token_sealed: Uint8Array;
  created_at: number;
}

interface SecretsTable {
  id: string;
  name: string;
  type: string;
  auth_mode: string | null;
  value_sealed: Uint8Array;
  host_pattern: string;
  path_pattern: string | null;
  /** JSON array */
  methods: string | null;
  /** JSON array of injections */
  injection_config: string;
  env_name: string | null;
  /** JSON */
  rotation: string | null;
  rotated_at: number | null;
  /** JSON */
  issues_tokens: string | null;
  issued_by: string | null;
  issued_to: string | null;
  placeholder: string | null;
  expires_at: number | null;
  created_at: number;
}

interface RulesTable {
  id: string;
  name: string;
  host_pattern: string;
  path_pattern: string | null;
  /** JSON array */
  methods: string | null;
  action: string;
  /** 0 or 1 */
  enabled: number;
  agent_id: string | null;
  rate_limit: number | null;
  rate_limit_window: string | null;
  created_at: number;
}

interface AuditSegmentsTable {
  id: number;
  first_seq: number;
  last_seq: number;
  last_hash: Uint8Array;
  closed_at: number;
  retired_at: number | null;
  anchor: Uint8Array;
}
