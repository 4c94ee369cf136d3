"""A page is one file, well formed whatever stands on it."""

import pytest
from html_pages import Page, check_contrast_of_texts, read_page

from mmfeat import InputError, OutputExistsError
from mmfeat.display import (
    PageSection,
    Table,
    check_page_path,
    html_details,
    html_list,
    html_page,
    html_paragraph,
    html_table,
    write_page,
)

ODD = "a<b> & \"c\" 'd' </td>"


def test_what_is_written_comes_back_as_text():
    rows = ((ODD, 1.0, ODD * 3),)
    blocks = (html_table(Table(header=("name", ODD, "text"), rows=rows), text_columns=(2,)), html_list([ODD]))
    page = Page(html_page(ODD, ODD, [PageSection(title=ODD, blocks=(*blocks, html_details(ODD, html_paragraph(ODD))))]))

    assert page.faults == []
    assert page.headings == [ODD, ODD]
    assert page.tables == [[["name", ODD, "text"], [ODD, "1.0000", ODD * 3]]]
    assert page.items == [ODD]
    check_contrast_of_texts(page)


def test_sections_without_blocks_are_left_out():
    sections = [PageSection(title="empty", blocks=()), PageSection(title="full", blocks=(html_paragraph("x"),))]

    assert Page(html_page("title", "lead", sections)).headings == ["title", "full"]


def test_a_page_is_written_whole_into_a_new_folder_or_not_at_all(tmp_path):
    text = html_page("title", "lead", [])
    assert read_page(write_page(tmp_path / "new" / "page.html", text)).headings == ["title"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]

    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"page\.html: expected a place to write a report, got '.+'; choose another"):
        write_page(tmp_path / "file" / "page.html", text)


def test_an_existing_page_may_be_replaced_only_when_asked(tmp_path):
    page = tmp_path / "page.html"
    check_page_path(page, overwrite=False)
    page.write_text("")

    check_page_path(page, overwrite=True)
    with pytest.raises(OutputExistsError):
        check_page_path(page, overwrite=False)
