// Checks HTTP answers against an OpenAPI 3.0 file.

import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export class OpenApi {
  #ajv;
  #operations = [];
  #checks = new Map();

  constructor(path) {
    const document = parse(readFileSync(path, 'utf8'), { maxAliasCount: -1 });
    this.#ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
    addFormats(this.#ajv);
    for (const format of ['int32', 'int64', 'float', 'double', 'binary']) this.#ajv.addFormat(format, true);
    this.#ajv.addSchema({ $id: 'openapi', components: jsonSchema(document.components) });
    for (const [template, item] of Object.entries(document.paths)) {
      for (const method of METHODS.filter((method) => item[method])) {
        this.#operations.push(operation(document, method, template, item[method]));
      }
    }
    // Of two templates that fit, the one with fewer parameters is meant: /users/count.
    this.#operations.sort((a, b) => a.parameters - b.parameters);
  }

  find(method, path) {
    return this.#operations.find((row) => row.method === method.toLowerCase() && row.pattern.test(path));
  }

  /**
   * What is wrong with an answer; an empty list when nothing is.
   *
   * @param {{method: string, path: string, query: URLSearchParams, status: number,
   *   contentType: string, body: string}} answer `path` is below the server's base.
   * @param {(operationId: string, status: number) => boolean} isKnown whether a status is answered
   *   although the file does not list it.
   */
  faults({ method, path, query, status, contentType, body }, isKnown) {
    const found = this.find(method, path);
    if (!found) return [`${method} ${path} is no operation`];
    const response = found.responses[status];
    if (!response && !isKnown(found.id, status)) return [`${found.id} does not answer ${status}`];
    let schema = response?.content?.['application/json']?.schema;
    if (!schema && status >= 400) schema = { $ref: '#/components/schemas/ClerkErrors' };
    if (!schema) return body === '' ? [] : [`${found.id} ${status} has no body`];
    if (contentType !== 'application/json') return [`${found.id}: content type ${contentType}`];
    // The file describes the bare list alone; `paginated` wraps it.
    const paginated = status === 200 && query.get('paginated') === 'true';
    if (paginated) schema = page(schema);
    let value;
    try {
      value = JSON.parse(body);
    } catch {
      return [`${found.id}: no JSON: ${body.slice(0, 80)}`];
    }
    const check = this.#check(`${found.id} ${status} ${paginated}`, schema);
    if (check(value)) return [];
    return check.errors.map((e) => `${found.id} ${status}: ${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  }

  #check(key, schema) {
    if (!this.#checks.has(key)) this.#checks.set(key, this.#ajv.compile(jsonSchema(schema)));
    return this.#checks.get(key);
  }
}

function operation(document, method, template, row) {
  const pattern = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+');
  const responses = Object.entries(row.responses).map(([status, response]) => [status, resolved(document, response)]);
  return {
    method,
    id: row.operationId,
    pattern: new RegExp(`^${pattern}$`),
    parameters: (template.match(/\{/g) ?? []).length,
    responses: Object.fromEntries(responses),
  };
}

const page = (schema) => ({
  type: 'object',
  required: ['data', 'total_count'],
  properties: { data: schema, total_count: { type: 'integer' } },
});

function resolved(document, value) {
  if (!value.$ref) return value;
  return value.$ref.slice(2).split('/').reduce((at, name) => at[name], document);
}

/** OpenAPI 3.0's dialect as JSON Schema: `nullable`, and references into the added document. */
function jsonSchema(value) {
  if (Array.isArray(value)) return value.map(jsonSchema);
  if (value === null || typeof value !== 'object') return value;
  const { nullable, discriminator, example, ...rest } = value;
  const schema = Object.fromEntries(
    Object.entries(rest).map(([name, member]) =>
      name === '$ref' ? [name, `openapi${member}`] : [name, jsonSchema(member)],
    ),
  );
  if (nullable !== true) return schema;
  return { anyOf: [schema, { type: 'null' }] };
}
