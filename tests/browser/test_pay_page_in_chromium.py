"""What a payer sees and does, in a real browser of a phone's size."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from api.pay.pages import I18N
from tinko_pipelines.core.notifications.languages import LANGUAGES, catalogue
from tinko_pipelines.core.psp.types import Psp

# relative luminance and contrast as WCAG 2.2 defines them, on what the browser computed
CONTRAST = """() => {
  const rgb = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m; };
  const lum = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126*r + 0.7152*g + 0.0722*b; };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c; } return [255,255,255]; };
  return [...document.querySelectorAll("h1,h2,p,dt,dd,a,button")].filter((e) => e.textContent.trim()).map((e) => {
    const a = lum(rgb(getComputedStyle(e).color)), b = lum(ground(e));
    return [e.textContent.trim().slice(0, 30), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}"""  # noqa: E501


def words(language):
    return catalogue(I18N, language)


def button(page, language="en", amount="₹1,299.00"):
    said = words(language)["payable.button"].format(amount=amount)
    return page.get_by_role("button", name=said, exact=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_in_each_language(site, world, new_page, language):
    page = new_page()
    page.goto(site(world.add_debt()) + f"?lang={language}")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Asha Yoga Studio")
    expect(page.locator(".amount")).to_have_text("₹1,299.00")
    expect(button(page, language)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "it scrolls sideways"
    )


def test_switching_the_language_keeps_the_link(site, world, new_page):
    page = new_page()
    address = site(world.add_debt())
    page.goto(address)
    for language, name in (("hi", "हिन्दी"), ("ta", "தமிழ்"), ("en", "English")):
        page.get_by_role("link", name=name).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("nav a[aria-current]")).to_have_text(name)
        assert page.url.split("?")[0] == address
        expect(button(page, language)).to_be_visible()


@pytest.mark.parametrize("by_form", [False, True], ids=["redirect", "form"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_paying_goes_to_the_psp_and_comes_back_paid(
    site, world, doors, new_page, by_form, language
):
    doors.by_form = by_form
    page = new_page()
    page.goto(site(world.add_debt(psp="razorpay" if by_form else "stripe")) + f"?lang={language}")
    button(page, language).click()
    page.wait_for_url(doors.hosted.base + "/**")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("heading")).to_have_text(words(language)["paid.title"])
    expect(page.locator("html")).to_have_attribute("lang", language)
    if by_form:
        ((fields, origin, referer),) = doors.hosted.posted
        assert fields["key_id"] == ["rzp_test"]
        assert (origin, referer) == ("null", None)  # the link's token does not travel along


def test_a_double_click_opens_one_door(site, world, doors, new_page):
    doors.delay = 0.5
    page = new_page()
    page.goto(site(world.add_debt()))
    button(page).dblclick()
    page.wait_for_url(doors.hosted.base + "/**")
    assert (len(doors.asked), doors.hosted.visits) == (1, 1)


def test_the_button_says_it_is_busy(site, world, doors, new_page):
    page = new_page()
    said = []
    page.on("console", lambda line: said.append(line.text))
    page.goto(site(world.add_debt()))
    # heard after the page's own listener, before the browser leaves
    page.evaluate(
        "document.forms[0].addEventListener('submit', (event) => {"
        " const b = event.target.querySelector('button');"
        " console.log(b.textContent + '|' + b.getAttribute('aria-disabled')); })"
    )
    button(page).click()
    page.wait_for_url(doors.hosted.base + "/**")
    assert said == [words("en")["opening"] + "|true"]


def test_after_going_back_the_button_works_again(site, world, doors, new_page):
    page = new_page()
    page.goto(site(world.add_debt()))
    button(page).click()
    page.wait_for_url(doors.hosted.base + "/**")
    page.go_back()
    button(page).click()
    page.wait_for_url(doors.hosted.base + "/**")
    assert len(doors.asked) == 2


@pytest.mark.parametrize("by_form", [False, True], ids=["redirect", "form"])
def test_it_works_without_javascript_and_with_the_keyboard(site, world, doors, new_page, by_form):
    doors.by_form = by_form
    page = new_page(java_script_enabled=False)
    page.goto(site(world.add_debt()))
    for _ in range(len(LANGUAGES) + 1):  # past the languages to the button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    if by_form:
        page.get_by_role("button", name=words("en")["handover.button"]).click()
    page.wait_for_url(doors.hosted.base + "/**")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_states_that_are_not_for_paying(site, world, new_page, language):
    page = new_page()

    def shows(address, state, **values):
        page.goto(f"{address}?lang={language}")
        title = words(language)[f"{state}.title"].format_map(values)
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.locator("form")).to_have_count(0)

    trying, waiting, paid, gone = (world.add_debt() for _ in range(4))
    world.add_attempt(trying[0], "submitted")
    world.add_attempt(waiting[0], "pending")
    world.pay(paid[0])
    world.set_obligation(gone[0], state="void")
    shows(site(trying), "processing")
    shows(site(waiting), "pending")
    shows(site(paid), "paid")
    shows(site(gone), "cancelled")
    shows(site(world.add_debt(), valid_for=timedelta(0)), "expired")
    shows(site(world.add_debt())[:-3], "unknown")


def test_a_page_that_waits_sees_the_news_by_itself(site, world, new_page):
    obligation, case = world.add_debt()
    page = new_page()
    page.goto(site((obligation, case)) + "/return?lang=en")
    expect(page.get_by_role("heading")).to_have_text(words("en")["confirming.title"])
    world.pay(obligation)
    expect(page.get_by_role("heading")).to_have_text(words("en")["paid.title"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_psp_is_chosen_with_a_second_button(site, world, doors, new_page, language):
    debt = world.add_debt()
    world.offer(debt)
    page = new_page(color_scheme="dark" if language == "hi" else "light")
    page.goto(site(debt) + f"?lang={language}")
    expect(button(page, language)).to_be_in_viewport()
    assert [item for item in page.evaluate(CONTRAST) if item[1] < 4.5] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    said = words(language)["other.button"].format(amount="₹1,299.00", other="Razorpay")
    page.get_by_role("button", name=said, exact=True).click()
    page.wait_for_url(doors.hosted.base + "/**")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("heading")).to_have_text(words(language)["paid.title"])
    assert [one.chosen for one in doors.asked] == [Psp.RAZORPAY]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("path", "least"), [("", 8), ("/return", 5)], ids=["pay", "return"])
def test_all_text_has_contrast(site, world, new_page, scheme, path, least):
    page = new_page(color_scheme=scheme)
    page.goto(site(world.add_debt()) + path)
    measured = page.evaluate(CONTRAST)
    assert len(measured) > least
    assert [item for item in measured if item[1] < 4.5] == []


def test_one_request_and_no_cookie(site, world, new_page):
    page = new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    address = site(world.add_debt())
    page.goto(address, wait_until="networkidle")
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert page.context.cookies() == []
