// Start the deck, and shrink what is too full: slides are filled by an estimate of heights.
function fit() {
  const slide = Reveal.getCurrentSlide();
  if (!slide) return;
  slide.style.fontSize = "";
  const full = parseFloat(getComputedStyle(slide).fontSize);
  const tooFull = () => slide.scrollHeight > slide.clientHeight + 1
    || slide.scrollWidth > slide.clientWidth + 1;
  for (let share = 0.95; tooFull() && share > 0.45; share -= 0.05) {
    slide.style.fontSize = `${full * share}px`;
  }
}
Reveal.on("ready", fit);
Reveal.on("slidechanged", fit);
Reveal.initialize({
  width: 1120, height: 700, margin: 0.04, center: false, hash: true, transition: "none",
  slideNumber: "c/t", pdfSeparateFragments: false, plugins: [RevealNotes]
});
