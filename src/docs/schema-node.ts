/** The parts of a JSON Schema that the generated pages read. */
export type SchemaNode = {
  description?: string;
  type?: string | string[];
  enum?: unknown[];
  default?: unknown;
  examples?: unknown[];
  required?: string[];
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  additionalProperties?: SchemaNode | boolean;
  oneOf?: SchemaNode[];
  anyOf?: SchemaNode[];
};

/** A mapping with fixed keys, but not a secret's `{ file }`. */
export const isSection = (node: SchemaNode): boolean => node.properties !== undefined && node.oneOf === undefined;

export const isRequired = (parent: SchemaNode, key: string): boolean => parent.required?.includes(key) ?? false;
