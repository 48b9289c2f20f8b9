"use strict";
// The slider of each input: how much of the candidate's output lies over the reference's.
for (const range of document.querySelectorAll(".slide input")) {
  const over = range.closest(".slide").querySelector(".over");
  const move = () => { over.style.clipPath = "inset(0 0 0 " + range.value + "%)"; };
  range.addEventListener("input", move);
  move();
}
