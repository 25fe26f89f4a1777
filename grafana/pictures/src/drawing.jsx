// Each visualisation with Grafana's own component, given what its plug-in would give it.

import {
  applyNullInsertThreshold,
  FieldType,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  outerJoinDataFrames,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const DRAWN = { bargauge, stat, table, timeseries };

/** Whether @grafana/ui has what draws this type of panel. */
export function isDrawn(type) {
  return type in DRAWN;
}

/** What is inside the frame of a panel. */
export function draw(drawing, width, height) {
  if (drawing.frames.length === 0 && !drawing.panel.fieldConfig?.defaults?.noValue) {
    return <div style={{ height, lineHeight: `${height}px`, textAlign: 'center' }}>No data</div>;
  }
  return DRAWN[drawing.panel.type]({ ...drawing, width, height });
}

function stat({ panel, frames, theme, variables, width, height }) {
  const { options } = panel;
  const { wideLayout = true, graphMode = 'area', ...look } = options;
  return repeated({ panel, frames, theme, variables, width, height }, graphMode !== 'none', {
    autoGrid: true,
    itemSpacing: 3,
    renderValue: ({ value, width, height, count, alignmentFactors }) => (
      <BigValue
        {...{ alignmentFactors, count, graphMode, height, theme, width }}
        colorMode={look.colorMode ?? 'value'}
        justifyMode={look.justifyMode ?? 'auto'}
        textMode={look.textMode ?? 'auto'}
        text={look.text}
        value={value.display}
        sparkline={value.sparkline}
        disableWideLayout={!wideLayout}
      />
    ),
  });
}

function bargauge({ panel, frames, theme, variables, width, height }) {
  const { options } = panel;
  return repeated({ panel, frames, theme, variables, width, height }, false, {
    itemSpacing: 10,
    minVizHeight: options.minVizHeight ?? 16,
    minVizWidth: options.minVizWidth ?? 8,
    maxVizHeight: options.maxVizHeight ?? 300,
    renderValue: ({ value, width, height, orientation, alignmentFactors }) => (
      <BarGauge
        {...{ alignmentFactors, height, orientation, theme, width }}
        value={value.display}
        field={value.field}
        display={value.view?.getFieldDisplayProcessor(value.colIndex)}
        text={options.text}
        displayMode={options.displayMode ?? 'gradient'}
        showUnfilled={options.showUnfilled ?? true}
        valueDisplayMode={options.valueMode}
        namePlacement={options.namePlacement}
        lcdCellWidth={12}
        itemSpacing={8}
      />
    ),
  });
}

function repeated({ panel, frames, theme, variables, width, height }, sparkline, more) {
  const { orientation = 'auto', reduceOptions = { calcs: ['lastNotNull'] } } = panel.options;
  const getValues = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: panel.fieldConfig,
      reduceOptions,
      replaceVariables: (text) => variables.replace(text),
      sparkline,
      theme,
      timeZone: 'browser',
    });
  return (
    <VizRepeater
      {...{ getValues, height, orientation, width }}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderCounter={0}
      source={frames}
      {...more}
    />
  );
}

function timeseries({ panel, frames, range, width, height }) {
  const isNumeric = ({ type }) => type === FieldType.number;
  const numeric = frames.filter(({ fields }) => fields.some(isNumeric));
  // Each series' own gaps, before the join fills its times with those of others.
  const gapped = numeric.map((frame) => applyNullInsertThreshold({ frame }));
  const drawn = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };
  const legend = { ...drawn, ...panel.options.legend };
  return (
    <TimeSeries
      {...{ height, legend, width }}
      frames={[outerJoinDataFrames({ frames: gapped })]} // of several it breaks only one at gaps
      options={panel.options}
      timeRange={range}
      timeZone="browser"
    />
  );
}

function table({ panel, frames, theme, range, width, height }) {
  const { cellHeight = 'sm', frameIndex = 0, showHeader = true, sortBy } = panel.options;
  return (
    <TableNG
      {...{ cellHeight, height, sortBy, width }}
      data={frames[frameIndex]}
      noHeader={!showHeader}
      noValue={panel.fieldConfig.defaults.noValue}
      timeRange={range}
      theme={theme}
      enableVirtualization={false}
      fieldConfig={panel.fieldConfig}
    />
  );
}
