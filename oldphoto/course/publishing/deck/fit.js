// Start the deck, upright on a phone, and shrink the type of a slide that is too full: fonts differ.
const upright = innerWidth < 700 && innerHeight > innerWidth;
const shape = innerHeight / innerWidth;
document.documentElement.classList.toggle("narrow", upright);
function fit() {
  const slide = Reveal.getCurrentSlide()?.querySelector(".slide");
  if (!slide) return;
  slide.style.fontSize = "";
  const full = parseFloat(getComputedStyle(slide).fontSize);
  const tooFull = () => [slide, ...slide.querySelectorAll(".text")].some(part =>
    part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1);
  for (let share = 0.95; tooFull() && share > 0.45; share -= 0.05) {
    slide.style.fontSize = `${full * share}px`;
  }
}
Reveal.on("ready", fit);
Reveal.on("slidechanged", fit);
Reveal.initialize({
  width: upright ? 560 : 1120, height: upright ? 540 * shape : 1120 * Math.min(Math.max(shape, 0.56), 0.76),
  margin: 0.03, center: false, hash: true, transition: "none", scrollActivationWidth: 0,
  slideNumber: "c/t", pdfSeparateFragments: false, plugins: [RevealNotes]
});
