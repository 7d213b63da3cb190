// How does one chart look? Pure drawing: everything it shows is in its arguments.
import { instants, linear, logarithmic } from "./axes.js";
import { clock, KINDS } from "./figures.js";
import { colours, DASHES, hatch } from "./palette.js";

const LEFT = 56;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 22;

/** The part of a canvas of `width` x `height` css pixels that values are drawn in. */
export function plotArea(width, height) {
  return { left: LEFT, right: width - RIGHT, top: TOP, bottom: height - BOTTOM };
}

/**
 * Draw `chart` ({kind, scale, stacked, top, least}) of `series` ({name, at, thin}) from `timeline` between
 * `from` and `to` (ms); `cursor` is the instant pointed at, or null; `events` are [{at, label}].
 */
export function paint(canvas, chart, series, timeline, view) {
  const ratio = devicePixelRatio || 1;
  const { width, height } = view;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = colours().font;
  const area = plotArea(width, height);
  const [first, last] = timeline.between(view.from - 2 * timeline.slot, view.to + 2 * timeline.slot);
  const columns = series.map(({ name }) => timeline.column(name));
  const levels = chart.stacked ? stack(columns, first, last) : columns;
  const scale = scaleOf(chart, levels, first, last);
  const frame = {
    pen,
    area,
    x: (ms) => area.left + ((ms - view.from) / (view.to - view.from)) * (area.right - area.left),
    y: (value) => area.bottom - scale.place(value) * (area.bottom - area.top),
  };
  grid(frame, chart, scale, view);
  holes(frame, timeline, series, view, ratio);
  pen.save();
  pen.beginPath();
  pen.rect(area.left, area.top - 2, area.right - area.left, area.bottom - area.top + 4);
  pen.clip();
  if (chart.stacked) layers(frame, timeline, levels, series, first, last);
  else lines(frame, timeline, columns, series, first, last);
  marks(frame, view);
  pen.restore();
  if (view.cursor !== null) crosshair(frame, timeline, levels, series, view.cursor);
}

function scaleOf(chart, levels, first, last) {
  const seen = [];
  for (const column of levels) {
    for (let at = first; at < last; at += 1) if (!Number.isNaN(column[at])) seen.push(column[at]);
  }
  return chart.scale === "log" ? logarithmic(seen, chart) : linear(seen, chart);
}

/** Each series on top of the ones before it; an instant none knows stays unknown. */
function stack(columns, first, last) {
  const levels = columns.map((column) => new Array(column.length).fill(Number.NaN));
  for (let at = first; at < last; at += 1) {
    if (columns.every((column) => Number.isNaN(column[at]))) continue;
    let sum = 0;
    columns.forEach((column, row) => {
      sum += Number.isNaN(column[at]) ? 0 : column[at];
      levels[row][at] = sum;
    });
  }
  return levels;
}

function grid({ pen, area, x, y }, chart, scale, view) {
  const { line, "text-soft": soft } = colours();
  const write = KINDS[chart.kind].write;
  pen.strokeStyle = line;
  pen.fillStyle = soft;
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const tick of scale.ticks) {
    const level = Math.round(y(tick)) + 0.5;
    pen.beginPath();
    pen.moveTo(area.left, level);
    pen.lineTo(area.right, level);
    pen.stroke();
    pen.fillText(write(tick), area.left - 8, level);
  }
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  const count = Math.max(2, Math.floor((area.right - area.left) / 72));
  const { spacing, found } = instants(view.from, view.to, count);
  for (const at of found) {
    const place = x(at);
    if (place < area.left + 16 || place > area.right - 16) continue;
    pen.fillText(clock(at, { seconds: spacing < 60_000 }), place, area.bottom + 16);
    pen.fillRect(Math.round(place), area.bottom, 1, 4);
  }
}

function holes({ pen, area, x }, timeline, series, view, ratio) {
  pen.fillStyle = hatch(pen, ratio);
  const names = series.map(({ name }) => name);
  for (const [from, to] of timeline.holes(names, view.from, view.to)) {
    const start = Math.max(area.left, x(from));
    pen.fillRect(start, area.top, Math.min(area.right, x(to)) - start, area.bottom - area.top);
  }
}

/** Join what is next to each other; leave a gap where a point is missing or unknown. */
function trace({ pen, x, y }, timeline, column, first, last) {
  let before = null;
  let lonely = null;
  pen.beginPath();
  for (let at = first; at <= last; at += 1) {
    const ms = timeline.times[at];
    const value = at < last ? column[at] : Number.NaN;
    if (Number.isNaN(value)) {
      if (at < last) continue;
    } else if (before !== null && ms - before <= 2.5 * timeline.slot) {
      pen.lineTo(x(ms), y(value));
      lonely = null;
      before = ms;
      continue;
    }
    if (lonely) pen.lineTo(lonely[0] + 2, lonely[1]); // a single point still shows
    if (at === last || Number.isNaN(value)) break;
    lonely = [x(ms), y(value)];
    pen.moveTo(...lonely);
    before = ms;
  }
}

function lines(frame, timeline, columns, series, first, last) {
  const { pen } = frame;
  pen.lineJoin = "round";
  for (const thin of [true, false]) {
    series.forEach(({ at, thin: isThin }, row) => {
      if (Boolean(isThin) !== thin) return;
      pen.strokeStyle = colours().series[at % colours().series.length];
      pen.globalAlpha = thin ? 0.5 : 1;
      pen.lineWidth = thin ? 1.25 : 2;
      pen.setLineDash(DASHES[at % DASHES.length]);
      trace(frame, timeline, columns[row], first, last);
      pen.stroke();
    });
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

/** From the top down, so that each covers what belongs to the ones below it. */
function layers(frame, timeline, levels, series, first, last) {
  const { pen, area, x, y } = frame;
  for (let row = series.length - 1; row >= 0; row -= 1) {
    const colour = colours().series[series[row].at % colours().series.length];
    for (const [start, end] of runs(timeline, levels[row], first, last)) {
      pen.beginPath();
      pen.moveTo(x(timeline.times[start]), area.bottom);
      for (let at = start; at < end; at += 1) pen.lineTo(x(timeline.times[at]), y(levels[row][at]));
      pen.lineTo(x(timeline.times[end - 1]), area.bottom);
      pen.fillStyle = colours().surface;
      pen.fill();
      pen.globalAlpha = 0.28;
      pen.fillStyle = colour;
      pen.fill();
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = colour;
    pen.lineWidth = 1.75;
    pen.setLineDash(DASHES[series[row].at % DASHES.length]);
    trace(frame, timeline, levels[row], first, last);
    pen.stroke();
    pen.setLineDash([]);
  }
}

function runs(timeline, column, first, last) {
  const found = [];
  let start = null;
  for (let at = first; at <= last; at += 1) {
    const there = at < last && !Number.isNaN(column[at]);
    const joined = start === null || (there && timeline.times[at] - timeline.times[at - 1] <= 2.5 * timeline.slot);
    if (start !== null && !(there && joined)) {
      found.push([start, at]);
      start = null;
    }
    if (there && start === null) start = at;
  }
  return found;
}

function marks({ pen, area, x }, view) {
  for (const { at, label } of view.events) {
    if (at < view.from || at > view.to) continue;
    const place = Math.round(x(at)) + 0.5;
    pen.strokeStyle = colours()["line-strong"];
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(place, area.top);
    pen.lineTo(place, area.bottom);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = colours()["text-soft"];
    pen.textAlign = place > area.right - 90 ? "right" : "left";
    pen.fillText(label, place + (pen.textAlign === "left" ? 4 : -4), area.top + 11);
  }
}

function crosshair({ pen, area, x, y }, timeline, levels, series, cursor) {
  const at = timeline.nearest(cursor);
  const place = Math.round(x(at < 0 ? cursor : timeline.times[at])) + 0.5;
  if (place < area.left || place > area.right) return;
  pen.strokeStyle = colours()["line-strong"];
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(place, area.top);
  pen.lineTo(place, area.bottom);
  pen.stroke();
  if (at < 0) return;
  series.forEach(({ at: colour, thin }, row) => {
    const value = levels[row][at];
    if (Number.isNaN(value)) return;
    pen.beginPath();
    pen.arc(place, y(value), thin ? 2.5 : 4, 0, 2 * Math.PI);
    pen.fillStyle = colours().series[colour % colours().series.length];
    pen.strokeStyle = colours().surface;
    pen.lineWidth = 1.5;
    pen.fill();
    pen.stroke();
  });
}
