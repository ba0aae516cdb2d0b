// What Great Expectations' pages ask of jQuery and Bootstrap, which they load from elsewhere.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll('[data-toggle="collapse"]')) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const id = (link.getAttribute("href") || link.dataset.target || "").slice(1);
      document.getElementById(id)?.classList.toggle("show");
    });
  }
  const passed = () => [
    ...[...document.querySelectorAll(".hide-succeeded-validation-target-child")].map(
      (one) => one.parentElement),
    ...document.querySelectorAll(".hide-succeeded-validation-target"),
    ...[...document.querySelectorAll(".hide-succeeded-validations-column-section-target-child")]
      .map((one) => one.parentElement.parentElement),
  ];
  const filter = (hidden) => {
    for (const one of passed()) one.style.display = hidden ? "none" : "";
    for (const [place, button] of [...document.querySelectorAll(".btn-group .btn")].entries()) {
      button.classList.toggle("active", (place === 1) === hidden);
    }
  };
  window.showAllValidations = () => filter(false);
  window.hideSucceededValidations = () => filter(true);
});
