// Are the names in a dashboard known to Grafana's own registries?
//
// The types take any string for a unit, a reducer, a transformation, a matcher or a colour, and
// Grafana draws what it does not know as if nothing had been asked.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// Its ES modules import names that Node does not find in CommonJS, and it asks for the browser's
// language when it is asked for its units.
globalThis.navigator ??= { language: 'en', languages: ['en'] };
const grafana = createRequire(import.meta.url)('@grafana/data');

/** Transformations old enough to be there, and unchanged, in every Grafana the dashboards serve. */
const ALLOWED_TRANSFORMATIONS = new Set(
  JSON.parse(readFileSync(new URL('../builder/transformations.json', import.meta.url), 'utf8')),
);

const UNIT_OF_ONES_OWN = /^(bool|count|currency|prefix|si|suffix|time):.+/;
const COLOUR_CODE = /^#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$|^rgba?\([\d., %]+\)$/i;

const { visualization } = grafana.createTheme();
const units = new Set(Object.keys(grafana.getValueFormatterIndex()));
const transformations = new Set(Object.values(grafana.standardTransformers).map(({ id }) => id));
const ids = (registry) => new Set(registry.list().map(({ id }) => id));
const reducers = ids(grafana.fieldReducers);
const colourModes = ids(grafana.fieldColorModeRegistry);
const fieldMatchers = ids(grafana.fieldMatchers);
const valueMatchers = ids(grafana.valueMatchers);

/** By the key it stands under: what a value is, and whether Grafana knows it. */
const KNOWN = {
  unit: ['unit', (name) => units.has(name) || UNIT_OF_ONES_OWN.test(name)],
  calcs: ['reducer', (name) => reducers.has(name)],
  reducer: ['reducer', (name) => reducers.has(name)],
  reducers: ['reducer', (name) => reducers.has(name)],
  aggregations: ['reducer', (name) => reducers.has(name)],
  color: ['colour', isColour],
  fixedColor: ['colour', isColour],
};

/** What is unknown in a dashboard: `{ path, message }`. */
export function* valueComplaints(dashboard) {
  for (const [path, key, value, holder] of walk(dashboard, '')) {
    if (key in KNOWN) {
      const [kind, isKnown] = KNOWN[key];
      for (const name of [value].flat().filter((one) => typeof one === 'string')) {
        if (!isKnown(name)) yield { path, message: `'${name}' is no ${kind} of Grafana's.` };
      }
    }
    if (key === 'color' && path.includes('fieldConfig') && typeof value === 'object') {
      yield* unknown(colourModes, value?.mode, 'colour mode', `${path}.mode`);
    }
    if (key === 'matcher') yield* unknown(fieldMatchers, value.id, 'field matcher', `${path}.id`);
    if (key === 'config' && 'fieldName' in holder) {
      yield* unknown(valueMatchers, value.id, 'value matcher', `${path}.id`);
    }
    if (key === 'transformations') {
      for (const [at, { id }] of value.entries()) {
        yield* unknown(transformations, id, 'transformation', `${path}[${at}].id`);
        if (transformations.has(id) && !ALLOWED_TRANSFORMATIONS.has(id)) {
          const message = `'${id}' is not among the transformations we allow ourselves.`;
          yield { path: `${path}[${at}].id`, message };
        }
      }
    }
  }
}

function* unknown(names, name, kind, path) {
  if (!names.has(name)) yield { path, message: `'${name}' is no ${kind} of Grafana's.` };
}

/** All there is below: path, key, value, holder; an override's value has its id for a key. */
function* walk(value, path) {
  for (const [key, inside] of Object.entries(value)) {
    const here = Array.isArray(value) ? `${path}[${key}]` : `${path}${path && '.'}${key}`;
    const isOverride = key === 'value' && 'id' in value;
    yield [here, isOverride ? value.id : key, inside, value];
    if (inside !== null && typeof inside === 'object') yield* walk(inside, here);
  }
}

function isColour(name) {
  const isNamed = visualization.getColorByName(name) !== name;
  return isNamed || name === 'transparent' || COLOUR_CODE.test(name);
}
