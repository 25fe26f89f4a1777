// Does a dashboard satisfy Grafana's own types?
//
// Each dashboard is written as TypeScript, piece by piece: the dashboard, its panels, and of each
// panel the options, the field configurations and the queries, which the type of a panel leaves
// open and the plug-ins' types do not. The compiler reads that text from memory.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The versions of @grafana/schema, by the name they are installed under. */
export const SCHEMAS = ['schema-10.4', 'schema-11.6', 'schema-12.4', 'schema-13.2'];

const HERE = fileURLToPath(new URL('.', import.meta.url));

// In JSON an enum is its value. What Grafana's plug-ins do not find in a panel's options or custom
// field configuration, they fill in: there every key may be absent.
const PRELUDE = `
import type { Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/schema';
type Written<T> = unknown extends T ? T : T extends string ? \`\${T}\`
  : T extends object ? { [K in keyof T]: Written<T[K]> } : T;
type Some<T> = unknown extends T ? T : T extends string ? \`\${T}\`
  : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
`;

/** The complaints of one version of the schema about dashboards: `{ file, path, message }`. */
export function typeComplaints(schema, dashboards) {
  const plugins = new PluginTypes(schema);
  const sources = new Map(
    dashboards.map(({ file, dashboard }, at) => [
      join(HERE, `dashboard-${at}.ts`),
      { file, ...written(dashboard, plugins) },
    ]),
  );
  const program = compiled(schema, sources);
  const complaints = [...sources.values()].flatMap(({ file, complaints }) =>
    complaints.map((complaint) => ({ file, ...complaint })),
  );
  for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
    const source = sources.get(diagnostic.file?.fileName);
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
    if (source === undefined) {
      throw new Error(`${schema} itself: ${diagnostic.file?.fileName ?? ''} ${message}`);
    }
    const path = pathAt(diagnostic.file, diagnostic.start, source.paths);
    complaints.push({ file: source.file, path, message });
  }
  return complaints;
}

/** Where a version of the schema keeps the types of panels' options and of queries. */
class PluginTypes {
  constructor(schema) {
    const dist = join(HERE, 'node_modules', schema, 'dist');
    const folders = ['types', 'esm'].map((kind) => join(dist, kind, 'raw', 'composable'));
    this.composable = folders.find(existsSync);
  }

  /** The file of a plug-in's types, undefined if this version has none. */
  file(plugin, kind) {
    const folder = join(this.composable, plugin.replaceAll('-', ''), kind, 'x');
    const name = existsSync(folder) && readdirSync(folder).find((file) => file.endsWith('.d.ts'));
    return name ? join(folder, name) : undefined;
  }
}

function written(dashboard, plugins) {
  const paths = [];
  const complaints = [];
  const lines = [PRELUDE];
  const say = (path, value, type) => {
    lines.push(`export const v${paths.length} = ${JSON.stringify(value)} satisfies ${type};`);
    paths.push(path);
  };
  say('', { ...dashboard, panels: [] }, 'Written<Dashboard>');
  for (const [path, panel] of panelsOf(dashboard, '')) {
    if (panel.type === 'row') {
      say(path, { ...panel, panels: [] }, 'Written<RowPanel>');
      continue;
    }
    say(path, panel, 'Written<Panel>');
    const file = plugins.file(panel.type, 'panelcfg');
    if (file === undefined) {
      const message = `'${panel.type}' is no panel of this version.`;
      complaints.push({ path: `${path}.type`, message });
      continue;
    }
    const text = readFileSync(file, 'utf8');
    const plugin = (name) =>
      new RegExp(`export (interface|type) ${name}\\b`).test(text)
        ? `Some<import('${file}').${name}>`
        : '{ [key: string]: never }';
    say(`${path}.options`, panel.options ?? {}, plugin('Options'));
    for (const [of, config] of fieldConfigsOf(panel)) {
      const { custom = {}, ...standard } = config;
      say(`${path}.fieldConfig.${of}`, standard, 'Written<FieldConfig>');
      say(`${path}.fieldConfig.${of}.custom`, custom, plugin('FieldConfig'));
    }
    // Later versions took the query's type out of the schema. The Min step is in none of them.
    const queries = plugins.file('prometheus', 'dataquery');
    for (const [at, target] of (panel.targets ?? []).entries()) {
      if (queries !== undefined && target.datasource?.type === 'prometheus') {
        const query = `Written<import('${queries}').PrometheusDataQuery>`;
        say(`${path}.targets[${at}]`, target, `${query} & { interval?: string }`);
      }
    }
  }
  return { text: lines.join('\n'), paths, complaints };
}

function* panelsOf(holder, path) {
  for (const [at, panel] of (holder.panels ?? []).entries()) {
    const here = `${path}${path && '.'}panels[${at}]`;
    yield [here, panel];
    yield* panelsOf(panel, here);
  }
}

/** The defaults and every override; an override's `custom.x` stands as `{ custom: { x } }`. */
function* fieldConfigsOf(panel) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  yield ['defaults', defaults];
  for (const [at, { properties }] of overrides.entries()) {
    const config = {};
    for (const { id, value } of properties) {
      const steps = id.split('.');
      const last = steps.pop();
      steps.reduce((holder, step) => (holder[step] ??= {}), config)[last] = value;
    }
    yield [`overrides[${at}]`, config];
  }
}

function compiled(schema, sources) {
  const options = {
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
    paths: { '@grafana/schema': [join(HERE, 'node_modules', schema)] },
    skipLibCheck: true,
    strict: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.readFile = (name) => sources.get(name)?.text ?? readFile(name);
  return ts.createProgram([...sources.keys()], options, host);
}

/** The path in the JSON of a position in the text. */
function pathAt(file, position, paths) {
  let path = '';
  const descend = (node) => {
    if (position < node.getStart(file) || position >= node.end) return;
    if (ts.isVariableDeclaration(node)) path = paths[Number(node.name.text.slice(1))];
    if (ts.isPropertyAssignment(node)) path += `${path && '.'}${node.name.text}`;
    if (ts.isArrayLiteralExpression(node.parent)) path += `[${node.parent.elements.indexOf(node)}]`;
    ts.forEachChild(node, descend);
  };
  ts.forEachChild(file, descend);
  return path;
}
