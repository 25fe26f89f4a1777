// What a panel's queries yield, asked of Prometheus with the steps that Grafana would ask for.

import { rangeUtil, renderLegendFormat, toDataFrame } from '@grafana/data';

const SCRAPE_INTERVAL = '15s'; // a data source's, where nothing else is set
const MOST_STEPS = 11_000;

/** A panel's time range and data frames. */
export async function answered(prometheus, dashboard, panel, variables, width) {
  const range = rangeOf(dashboard, panel);
  const targets = (panel.targets ?? []).filter(({ hide }) => !hide);
  const answers = await Promise.all(
    targets.map((target) => framesOf(prometheus, target, panel, range, variables, width)),
  );
  const tables = targets.filter(({ format }) => format === 'table');
  for (const frame of answers.flat()) {
    const value = frame.fields.at(-1);
    if (value.name === 'Value' && frame.meta.isTable && tables.length > 1) {
      value.name = `Value #${frame.refId}`;
    }
  }
  return { range, frames: answers.flat() };
}

function rangeOf(dashboard, { timeFrom, timeShift }) {
  let raw = dashboard.time;
  if (timeFrom) {
    const described = rangeUtil.describeTextRange(timeFrom);
    if (described.invalid) throw new Error(`Grafana does not know the time from ${timeFrom}.`);
    raw = { from: described.from, to: described.to };
  }
  if (timeShift) throw new Error('Time shifts are not drawn here.');
  return rangeUtil.convertRawToRange(raw, 'browser');
}

async function framesOf(prometheus, target, panel, range, variables, width) {
  const least = target.interval || panel.interval || SCRAPE_INTERVAL;
  const points = Math.round(panel.maxDataPoints ?? width);
  const seconds = (range.to.valueOf() - range.from.valueOf()) / 1000;
  const wished = rangeUtil.calculateInterval(range, points, least).intervalMs / 1000;
  const scrape = rangeUtil.intervalToSeconds(least);
  const step = Math.max(wished, Math.ceil(seconds / MOST_STEPS));
  const query = variables.replace(target.expr, {
    __interval: `${step}s`,
    __interval_ms: String(step * 1000),
    __range: `${Math.round(seconds)}s`,
    __range_s: String(Math.round(seconds)),
    __range_ms: String(Math.round(seconds * 1000)),
    __rate_interval: `${Math.max(step + scrape, 4 * scrape)}s`,
  });
  const offset = range.from.utcOffset() * 60;
  const aligned = (time) => Math.floor((time.valueOf() / 1000 + offset) / step) * step - offset;
  const [path, moments] = target.instant
    ? ['query', { time: range.to.valueOf() / 1000 }]
    : ['query_range', { start: aligned(range.from), end: aligned(range.to), step }];
  const answer = await fetch(`${prometheus}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams({ query, ...moments }),
  });
  const { status, error, data } = await answer.json();
  if (status !== 'success') throw new Error(`${error} in ${query}`);
  if (target.format === 'table') return [table(target, data.result)].filter(({ length }) => length);
  return data.result.map((series) => seriesFrame(target, series, step * 1000));
}

function seriesFrame({ refId, legendFormat }, { metric, value, values = [value] }, interval) {
  const named = legendFormat && legendFormat !== '__auto';
  const name = named ? renderLegendFormat(legendFormat, metric) : undefined;
  return toDataFrame({
    refId,
    name,
    meta: {},
    fields: [
      { name: 'Time', type: 'time', config: { interval }, values: values.map(milliseconds) },
      {
        name: 'Value',
        type: 'number',
        labels: metric,
        config: { displayNameFromDS: name },
        values: values.map(number),
      },
    ],
  });
}

function table({ refId }, series) {
  const rows = series.flatMap(({ metric, value, values = [value] }) =>
    values.map((sample) => ({ metric, sample })),
  );
  const samples = rows.map(({ sample }) => sample);
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return toDataFrame({
    refId,
    meta: { isTable: true },
    fields: [
      { name: 'Time', type: 'time', config: {}, values: samples.map(milliseconds) },
      ...labels.map((label) => ({
        name: label,
        type: 'string',
        config: { filterable: true },
        values: rows.map(({ metric }) => metric[label] ?? ''),
      })),
      { name: 'Value', type: 'number', config: {}, values: samples.map(number) },
    ],
  });
}

const milliseconds = ([seconds]) => Math.round(seconds * 1000);
const number = ([, text]) => Number(text.replace('Inf', 'Infinity'));
