// Pictures as SVG: graphs (laid out by dagre), waterfalls, histograms.

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// The end of a text that is too long, for names differ there. Whole characters are cut off.
function short(text, length) {
  const characters = [...text];
  return characters.length > length ? `…${characters.slice(1 - length).join("")}` : text;
}

// About how wide a text is drawn; characters of other scripts may be as wide as high.
function wideText(text, narrow, wide) {
  let width = 0;
  for (const character of text) width += character < "\u0500" ? narrow : wide;
  return width;
}

// Let a click, Enter or the space bar do the same.
function pressable(element, act) {
  element.addEventListener("click", act);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  });
}

// A drawing of nodes and edges. `mark(number)` is a class for a node, `choose(line)` is called on a click.
function drawGraph(lines, picture, mark, choose) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 32, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const number of picture.nodes) {
    const line = lines[number];
    const width = 24 + Math.max(wideText(line.op, 8, 13), wideText(short(line.label, 26), 6.6, 11));
    graph.setNode(String(number), { width, height: 40 });
  }
  picture.edges.forEach((edge, index) => graph.setEdge(String(edge.from), String(edge.to), {}, String(index)));
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const canvas = shape("svg", {
    class: "graph", viewBox: `0 0 ${Math.max(width, 1)} ${Math.max(height, 1)}`,
    role: "group", "aria-label": "graph",
  });
  canvas.style.setProperty("--width", `${Math.max(width, 1)}px`);
  for (const edge of graph.edges()) {
    const points = graph.edge(edge).points;
    const path = points.map((point, index) => `${index ? "L" : "M"}${point.x},${point.y}`).join(" ");
    canvas.append(shape("path", { d: path, class: "edge", "marker-end": "url(#arrow)" },
      shape("title", {}, picture.edges[Number(edge.name)].name)));
  }
  for (const number of picture.nodes) {
    const line = lines[number];
    const { x, y, width: wide, height: high } = graph.node(String(number));
    const group = shape("g", {
      class: `node ${mark(number)}`, tabindex: 0, role: "button", "data-line": number,
      "aria-label": `${line.op} ${line.label}`, transform: `translate(${x - wide / 2},${y - high / 2})`,
    },
      shape("rect", { width: wide, height: high, rx: 5 }),
      shape("text", { x: wide / 2, y: 17, class: "operator" }, line.op),
      shape("text", { x: wide / 2, y: 32, class: "label" }, short(line.label, 26)),
      shape("title", {}, line.text));
    pressable(group, () => choose(line));
    canvas.append(group);
  }
  return canvas;
}

// A cascade of bars from the first value to the last; each step is {label, before, after, choose}.
function drawWaterfall(title, steps, format) {
  const row = 18, left = 250, wide = 420;
  const most = Math.max(1, ...steps.flatMap((step) => [step.before, step.after]));
  const place = (value) => left + (wide * value) / most;
  const high = row * steps.length + 26;
  const canvas = shape("svg", { class: "waterfall", viewBox: `0 0 ${left + wide + 130} ${high}`, role: "group", "aria-label": title });
  canvas.append(shape("text", { x: 0, y: 14, class: "heading" }, title));
  steps.forEach((step, index) => {
    const y = 24 + row * index;
    const from = Math.min(step.before, step.after);
    const size = Math.abs(step.after - step.before);
    const kind = step.total ? "total" : step.after < step.before ? "less" : "more";
    const bar = step.total
      ? { x: left, width: Math.max(1, place(step.after) - left) }
      : { x: place(from), width: Math.max(1, (wide * size) / most) };
    const group = shape("g", { class: `step ${kind}` },
      shape("text", { x: left - 8, y: y + 12, "text-anchor": "end" }, short(step.label, 34)),
      shape("rect", { ...bar, y: y + 2, height: row - 4 }),
      shape("text", { x: bar.x + bar.width + 5, y: y + 12 }, step.total ? format(step.after) : `${step.after > step.before ? "+" : "−"}${format(size)}`));
    if (step.choose) {
      group.setAttribute("tabindex", 0);
      group.setAttribute("role", "button");
      pressable(group, step.choose);
    }
    canvas.append(group);
  });
  return canvas;
}

// Bars of how many nodes of each operator there are, before and after.
function drawHistogram(before, after) {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort(
    (one, other) => (before.get(other) ?? 0) - (before.get(one) ?? 0) || one.localeCompare(other));
  const row = 26, left = 190, wide = 420;
  const most = Math.max(1, ...before.values(), ...after.values());
  const canvas = shape("svg", { class: "histogram", viewBox: `0 0 ${left + wide + 130} ${row * names.length + 26}`, role: "img", "aria-label": "Operators before and after" });
  canvas.append(shape("text", { x: 0, y: 14, class: "heading" }, "Operators before and after"));
  names.forEach((name, index) => {
    const y = 24 + row * index;
    const was = before.get(name) ?? 0, now = after.get(name) ?? 0;
    canvas.append(shape("g", {},
      shape("text", { x: left - 8, y: y + 15, "text-anchor": "end" }, short(name, 26)),
      shape("rect", { class: "was", x: left, y: y + 2, height: 9, width: (wide * was) / most }),
      shape("rect", { class: "now", x: left, y: y + 12, height: 9, width: (wide * now) / most }),
      shape("text", { x: left + (wide * Math.max(was, now)) / most + 5, y: y + 15 }, was === now ? String(was) : `${was} → ${now}`)));
  });
  return canvas;
}
