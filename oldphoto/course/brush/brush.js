// Shows a photo with its mask on it, and tells Python where somebody paints.
//
// No pixel is computed here: a stroke goes to Python as points in pixels of the photo, and the mask
// comes back as a picture. Until then the stroke is shown as a line.

const SVG = "http://www.w3.org/2000/svg";
const TOOLS = ["paints", "erases", "moves"];
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function render({ model, el }) {
  const stage = document.createElement("div"); // scrolls when the photo is enlarged
  const layers = document.createElement("div");
  const photo = new Image(), mask = new Image();
  const drawing = document.createElementNS(SVG, "svg"); // in pixels of the photo
  const brush = document.createElementNS(SVG, "circle"); // where the brush is, and how wide
  stage.className = "oldphoto-brush";
  layers.className = "oldphoto-brush-layers";
  mask.className = "oldphoto-brush-mask";
  stage.tabIndex = 0;
  stage.dataset.lmSuppressShortcuts = "true"; // the arrow keys are not JupyterLab's here
  stage.setAttribute("role", "application");
  stage.setAttribute("aria-label", "Photo: the arrow keys move the brush, the space bar paints");
  drawing.append(brush);
  layers.append(photo, mask, drawing);
  stage.append(layers);
  el.append(stage);

  el.classList.add("oldphoto-brush-box");

  const tool = () => TOOLS[model.get("tool")];
  const urls = new Map(); // of each picture, to free its memory

  function show(image, bytes) {
    URL.revokeObjectURL(urls.get(image));
    urls.set(image, URL.createObjectURL(new Blob([bytes])));
    image.src = urls.get(image);
  }

  function showPhoto() {
    const [height, width] = model.get("size");
    stage.hidden = !height;
    if (!height) return;
    drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    layers.style.aspectRatio = `${width} / ${height}`;
    const high = (60 * width) / height; // so wide is a photo that is 60 % of the window high
    layers.style.setProperty("--fitting", `min(100cqw - 2px, ${high}vh, ${3 * width}px)`);
    photo.alt = model.get("about");
    show(photo, model.get("photo"));
    moveBrush(width / 2, height / 2);
  }

  function showMask() {
    mask.alt = model.get("words");
    show(mask, model.get("mask"));
  }

  // A line goes when the mask has arrived that contains it.
  mask.onload = () => {
    for (const line of drawing.querySelectorAll("polyline[data-number]")) {
      if (Number(line.dataset.number) <= model.get("drawn")) line.remove();
    }
  };

  function showZoom() {
    const [x, y] = [stage.scrollLeft + stage.clientWidth / 2, stage.scrollTop + stage.clientHeight / 2];
    const before = layers.clientWidth;
    layers.style.setProperty("--zoom", 2 ** model.get("zoom"));
    const times = layers.clientWidth / before || 1;
    stage.scrollTo(x * times - stage.clientWidth / 2, y * times - stage.clientHeight / 2);
  }

  function showTool() {
    drawing.setAttribute("class", tool());
  }

  function showBrush() {
    brush.setAttribute("r", model.get("width") / 2);
  }

  function moveBrush(x, y) {
    brush.setAttribute("cx", x);
    brush.setAttribute("cy", y);
  }

  function place(event) {
    const box = drawing.getBoundingClientRect();
    const [height, width] = model.get("size");
    return [
      ((event.clientX - box.left) * width) / box.width,
      ((event.clientY - box.top) * height) / box.height,
    ];
  }

  let line = null, points = []; // the stroke that is being painted
  let grip = null; // where the photo is held that is being moved

  function start() {
    line = document.createElementNS(SVG, "polyline");
    line.setAttribute("stroke-width", model.get("width"));
    line.setAttribute("class", tool() === "erases" ? "erased" : "painted");
    drawing.insertBefore(line, brush);
    points = [];
  }

  function extend(...more) {
    points.push(...more);
    line.setAttribute("points", [...points, points.at(-1)].join(" ")); // one point is a dot
  }

  function finish() {
    const number = Date.now();
    const erases = tool() === "erases";
    line.dataset.number = number;
    model.send({ number, of: model.get("number"), points, width: model.get("width"), erases });
    line = null;
  }

  drawing.onpointerdown = (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    if (tool() === "moves") {
      if (event.pointerType !== "mouse") return; // a finger scrolls by itself
      grip = [event.clientX + stage.scrollLeft, event.clientY + stage.scrollTop];
    } else {
      start();
      extend(place(event));
    }
    drawing.setPointerCapture(event.pointerId);
    stage.focus({ preventScroll: true });
    event.preventDefault();
  };

  drawing.onpointermove = (event) => {
    if (!event.isPrimary) return;
    moveBrush(...place(event));
    const between = event.getCoalescedEvents?.() ?? []; // a quick hand
    if (line) extend(...(between.length ? between : [event]).map(place));
    if (grip) stage.scrollTo(grip[0] - event.clientX, grip[1] - event.clientY);
  };

  drawing.onpointerup = (event) => {
    if (!event.isPrimary) return;
    grip = null;
    if (line) finish();
  };

  drawing.onpointercancel = () => {
    line?.remove();
    line = grip = null;
  };

  stage.onkeydown = (event) => {
    const [x, y] = ["cx", "cy"].map((name) => Number(brush.getAttribute(name)));
    if (event.key in STEPS && tool() !== "moves") {
      const far = Math.max(1, Math.round(model.get("width") / 2));
      const [height, width] = model.get("size");
      const to = (from, step, end) => Math.min(Math.max(from + step * far, 0), end);
      moveBrush(to(x, STEPS[event.key][0], width), to(y, STEPS[event.key][1], height));
    } else if (event.key === " " && tool() !== "moves") {
      start();
      extend([x, y]);
      finish();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const shown = { number: showPhoto, mask: showMask, zoom: showZoom, tool: showTool, width: showBrush };
  for (const [name, update] of Object.entries(shown)) {
    update();
    model.on(`change:${name}`, update);
  }
  return () => {
    for (const [name, update] of Object.entries(shown)) model.off(`change:${name}`, update);
    for (const url of urls.values()) URL.revokeObjectURL(url);
  };
}

export default { render };
