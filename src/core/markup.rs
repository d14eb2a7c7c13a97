//! What a text looks like: Markdown (CommonMark, with ~~struck out~~ text), rendered to a narrow
//! set of HTML elements.
//!
//! Only what is listed here is ever written: `p br strong em del code pre blockquote ul ol li a`.
//! HTML in a text is shown as it was typed, an image becomes a link to it, so that nobody's
//! browser loads anything from elsewhere, and only `http`, `https` and `mailto` links are links.

use std::fmt;

use linkify::{LinkFinder, LinkKind};
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Deeper nesting is left as text: each level costs a browser as much as it costs us.
const DEPTH: usize = 16;
/// Bytes of HTML for one character of the text, and how many more there may be. No markup needs as
/// much but references: each stands for an address that is written once, however long. A text that
/// would come to more is left as it was typed.
const GROWTH: usize = 16;
const SPARE: usize = 1024;

/// The text as HTML, or `None` where it is plain: one paragraph without any markup or link. It is
/// taken as plain, too, where its HTML would be too large.
pub fn to_html(text: &str) -> Option<String> {
    if is_plain(text) {
        return None;
    }
    let parser = Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH);
    let mut narrow = Narrow::default();
    let mut rendered = Bounded::for_text(text);
    // One event after the other: what does not fit is never built.
    let events = parser.flat_map(|event| narrow.take_in(event));
    html::write_html_fmt(&mut rendered, events).ok()?;
    let rendered = rendered.html.trim_end();
    (rendered != as_paragraph(text)).then(|| rendered.to_owned())
}

/// HTML that takes no more than it may have.
struct Bounded {
    html: String,
    left: usize,
}

impl Bounded {
    fn for_text(text: &str) -> Bounded {
        let left = text.chars().count().saturating_mul(GROWTH).saturating_add(SPARE);
        Bounded { html: String::with_capacity(text.len() * 2), left }
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.left = self.left.checked_sub(part.len()).ok_or(fmt::Error)?;
        self.html.push_str(part);
        Ok(())
    }
}

/// What a text without any markup is rendered to.
fn as_paragraph(text: &str) -> String {
    let mut html = String::from("<p>");
    // Writing to a string cannot fail.
    let _ = pulldown_cmark_escape::escape_html_body_text(&mut html, text);
    html + "</p>"
}

/// A quick look, since most lines of chat are: nothing in it that Markdown or a link would need.
fn is_plain(text: &str) -> bool {
    let is_mark = |byte| b"*_`~<>#[\\\n".contains(&byte);
    let begins_like_a_list = |first: char| first.is_ascii_digit() || " \t-+=".contains(first);
    let has_entity = text.contains('&') && text.contains(';');
    !text.bytes().any(is_mark)
        && !text.starts_with(begins_like_a_list)
        && !text.contains("://")
        && !has_entity
}

/// Lets through what is allowed and turns the rest into it.
#[derive(Default)]
struct Narrow {
    /// For each open element, whether it was written.
    open: Vec<bool>,
    /// Within these, no links are looked for.
    verbatim: usize,
}

impl Narrow {
    fn take_in<'a>(&mut self, event: Event<'a>) -> Vec<Event<'a>> {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.verbatim == 0 => with_links(text),
            // A line break is a line break in a chat.
            Event::SoftBreak => vec![Event::HardBreak],
            Event::Html(text) | Event::InlineHtml(text) => vec![Event::Text(text)],
            Event::Rule => {
                vec![Event::Start(Tag::Paragraph), text("―――"), Event::End(TagEnd::Paragraph)]
            }
            Event::Text(_) | Event::Code(_) | Event::HardBreak => vec![event],
            Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => Vec::new(),
        }
    }

    fn start<'a>(&mut self, tag: Tag<'a>) -> Vec<Event<'a>> {
        let written = match tag {
            Tag::Paragraph
            | Tag::Strong
            | Tag::Emphasis
            | Tag::Strikethrough
            | Tag::List(_)
            | Tag::Item
            | Tag::BlockQuote(_)
                if self.open.len() < DEPTH =>
            {
                vec![Event::Start(plain(tag))]
            }
            Tag::CodeBlock(_) => {
                self.verbatim += 1;
                vec![Event::Start(Tag::CodeBlock(CodeBlockKind::Indented))]
            }
            Tag::Heading { .. } => {
                vec![Event::Start(Tag::Paragraph), Event::Start(Tag::Strong)]
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.verbatim += 1;
                if is_safe(&dest_url) { vec![link(dest_url)] } else { Vec::new() }
            }
            Tag::HtmlBlock => vec![Event::Start(Tag::Paragraph)],
            _ => Vec::new(),
        };
        self.open.push(!written.is_empty());
        written
    }

    fn end<'a>(&mut self, tag: TagEnd) -> Vec<Event<'a>> {
        let written = self.open.pop().unwrap_or_default();
        if matches!(tag, TagEnd::Link | TagEnd::Image | TagEnd::CodeBlock) {
            self.verbatim -= 1;
        }
        match tag {
            _ if !written => Vec::new(),
            TagEnd::Heading(_) => {
                vec![Event::End(TagEnd::Strong), Event::End(TagEnd::Paragraph)]
            }
            TagEnd::HtmlBlock => vec![Event::End(TagEnd::Paragraph)],
            TagEnd::Link | TagEnd::Image => vec![raw("</a>")],
            TagEnd::BlockQuote(_) => vec![Event::End(TagEnd::BlockQuote(None))],
            tag => vec![Event::End(tag)],
        }
    }
}

/// Without the kinds of quotes that some dialects have.
fn plain(tag: Tag<'_>) -> Tag<'_> {
    match tag {
        Tag::BlockQuote(_) => Tag::BlockQuote(None),
        tag => tag,
    }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text(CowStr::Borrowed(text))
}

/// Markup of our own; nothing that a person typed goes this way unescaped.
fn raw<'a>(html: impl Into<CowStr<'a>>) -> Event<'a> {
    Event::InlineHtml(html.into())
}

fn link<'a>(to: impl AsRef<str>) -> Event<'a> {
    let mut href = String::new();
    // Writing to a string cannot fail.
    let _ = pulldown_cmark_escape::escape_href(&mut href, to.as_ref());
    raw(format!(r#"<a href="{href}" rel="nofollow noopener noreferrer" target="_blank">"#))
}

fn is_safe(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    ["http://", "https://", "mailto:"].iter().any(|scheme| url.starts_with(scheme))
}

/// A text with the addresses in it made links.
fn with_links<'a>(text: CowStr<'a>) -> Vec<Event<'a>> {
    if !text.contains("://") {
        return vec![Event::Text(text)];
    }
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    let mut events = Vec::new();
    for span in finder.spans(&text) {
        let part = CowStr::from(span.as_str().to_owned());
        match span.kind() {
            Some(_) if is_safe(&part) => {
                events.extend([link(&*part), Event::Text(part), raw("</a>")]);
            }
            _ => events.push(Event::Text(part)),
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        to_html(text).unwrap_or_else(|| panic!("{text:?} is not plain"))
    }

    const REL: &str = r#"rel="nofollow noopener noreferrer" target="_blank""#;

    #[test]
    fn most_lines_are_plain() {
        for text in [
            "hello",
            "what? no!",
            "a (b) c: d",
            "¿Qué? 世界 🦜",
            "x & y",
            "it's 5 o'clock",
            "5 of them",
            "a < b",
        ] {
            assert_eq!(to_html(text), None, "{text}");
        }
    }

    #[test]
    fn markdown_is_rendered() {
        assert_eq!(
            html("**b** _i_ ~~s~~ `c`"),
            "<p><strong>b</strong> <em>i</em> <del>s</del> <code>c</code></p>"
        );
        assert_eq!(html("one\ntwo"), "<p>one<br />\ntwo</p>");
        assert_eq!(html("> said"), "<blockquote>\n<p>said</p>\n</blockquote>");
        assert_eq!(html("- a\n- b"), "<ul>\n<li>a</li>\n<li>b</li>\n</ul>");
        assert_eq!(html("# Title"), "<p><strong>Title</strong></p>");
        assert_eq!(
            html("```rust\nlet a = \"<b>\";\n```"),
            "<pre><code>let a = \"&lt;b&gt;\";\n</code></pre>"
        );
    }

    #[test]
    fn links_are_found_and_only_safe_ones_are_links() {
        let a = |url: &str, text: &str| format!(r#"<a href="{url}" {REL}>{text}</a>"#);
        let found = a("https://a.example/b?c=1&amp;d=2", "https://a.example/b?c=1&amp;d=2");
        assert_eq!(html("see https://a.example/b?c=1&d=2."), format!("<p>see {found}.</p>"));
        let named = a("https://a.example", "there");
        assert_eq!(html("[there](https://a.example)"), format!("<p>{named}</p>"));
        assert_eq!(html("[x](javascript:alert(1))"), "<p>x</p>");
        assert_eq!(html("[x](data:text/html,hi)"), "<p>x</p>");
        assert_eq!(html("`https://a.example`"), "<p><code>https://a.example</code></p>");
    }

    #[test]
    fn nothing_is_loaded_and_no_html_gets_through() {
        let image = format!(r#"<p><a href="https://a.example/x.png" {REL}>cat</a></p>"#);
        assert_eq!(html("![cat](https://a.example/x.png)"), image);
        for text in [
            "<img src=x onerror=alert(1)>",
            "<script>alert(1)</script>",
            "a <b onclick=\"x\">b</b>",
            "[a](https://a.example/\"onmouseover=\"alert(1))",
            "https://a.example/\"><script>alert(1)</script>",
            "<https://a.example/\"onload=\"x>",
            "&lt;script&gt;",
            "> <div>\n- <svg onload=x>",
        ] {
            if let Some(html) = to_html(text) {
                check(&html);
            }
        }
        assert_eq!(html("**a** <img>"), "<p><strong>a</strong> &lt;img&gt;</p>");
    }

    #[test]
    fn deep_nesting_is_cut() {
        check(&html(&"> ".repeat(500)));
        check(&html(&format!("{}a", "- ".repeat(500))));
        assert!(html(&format!("{}a", "> ".repeat(500))).matches("<blockquote>").count() <= DEPTH);
    }

    #[test]
    fn one_long_address_is_not_written_over_and_over() {
        let address = format!("http://{}", "'".repeat(3_600));
        let text = format!("[a]:{address}\n\n{}", "[a] ".repeat(28));
        assert!(to_html(&text).is_none());
        let once = format!("[a]:{address}\n\n[a]");
        check(&html(&once));
        let short = format!("[a]: https://a.example\n\n{}", "[a] and more words ".repeat(50));
        assert_eq!(html(&short).matches("<a ").count(), 50);
    }

    /// What grows most, other than references, in a text as long as one may be.
    #[test]
    fn all_other_markup_fits() {
        for costly in ["#\n", "- #\n+ #\n", "-\n+\n", ">\n\n", "http://a ", "<http://a>", "*a*"] {
            check(&html(&costly.repeat(4_000 / costly.len())));
        }
        for costly in ["&", "'", "\"", "é", "世", "🦜"] {
            check(&html(&format!("http://a/{}", costly.repeat(3_990))));
        }
    }

    /// Every element and attribute is one of ours, and what is opened is closed.
    fn check(html: &str) {
        let known =
            ["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"];
        let mut open = Vec::new();
        for piece in html.split('<').skip(1) {
            let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("{html}"));
            let name = tag.trim_matches('/').split([' ', '/']).next().unwrap_or_default();
            assert!(known.contains(&name), "{name} in {html}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name.to_owned()), "{html}"),
                None if name == "br" => {}
                None => open.push(name.to_owned()),
            }
            if name == "a" && !tag.starts_with('/') {
                let rest = tag.strip_prefix("a href=\"").unwrap_or_else(|| panic!("{html}"));
                let (_, rest) = rest.split_once('"').unwrap_or_else(|| panic!("{html}"));
                assert_eq!(rest.trim(), REL, "{html}");
            } else {
                assert!(!tag.contains('=') || tag.starts_with("ol start=\""), "{html}");
            }
        }
        assert!(open.is_empty(), "{html}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_only_our_own_elements_come_out(text in r#"[\[\]()<>!*_`~#&;:/"'=\\ \n\-+0-9a-c.]{0,60}"#) {
            if let Some(html) = to_html(&text) {
                check(&html);
            }
        }
    }
}
