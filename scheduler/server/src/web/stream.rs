//! JSON of any length: written while it is found, so that no answer is in memory as a whole.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use serde_json::Value;

use super::ending;
use crate::actor::Ended;

/// `open`, then what the pages hold with commas between, then `close`.
pub(crate) fn elements(
    open: &'static str,
    pages: impl Stream<Item = Result<Vec<String>, Ended>>,
    close: &'static str,
) -> impl Stream<Item = Result<Bytes, Ended>> {
    let mut before = open;
    let pages = pages.map_ok(Some).chain(stream::once(future::ready(Ok(None))));
    let texts = pages.map_ok(move |page| {
        let mut text = String::new();
        match page {
            Some(page) => {
                for element in page {
                    text.push_str(before);
                    text.push_str(&element);
                    before = ",";
                }
            }
            None => {
                text.push_str(if before == "," { "" } else { before });
                text.push_str(close);
            }
        }
        Bytes::from(text)
    });
    texts.try_filter(|text| future::ready(!text.is_empty()))
}

/// A member of an object.
pub(crate) fn member(name: &str, value: &Value) -> String {
    format!("{}:{value}", Value::from(name))
}

/// The answer with these parts of a JSON text. A scheduler that ends before the first part says so;
/// later the answer breaks off.
pub(crate) async fn answer(
    parts: impl Stream<Item = Result<Bytes, Ended>> + Send + 'static,
) -> Response {
    let mut parts = Box::pin(parts);
    match parts.next().await {
        Some(Err(Ended)) => ending(),
        first => {
            let body = Body::from_stream(stream::iter(first).chain(parts));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}

/// Pages that are found one after the other: each gives where the next begins, if there is one.
pub(crate) fn pages<P, F>(
    find: impl Fn(Option<P>) -> F + Send + 'static,
) -> impl Stream<Item = Result<Vec<String>, Ended>>
where
    F: Future<Output = Result<(Vec<String>, Option<P>), Ended>>,
{
    stream::try_unfold(Some(None), move |at| {
        let page = at.map(&find);
        async move {
            let Some(page) = page else { return Ok(None) };
            let (found, next) = page.await?;
            Ok(Some((found, next.map(Some))))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(parts: Vec<Result<Vec<String>, Ended>>) -> Result<String, Ended> {
        let parts: Vec<Bytes> = elements("[", stream::iter(parts), "]").try_collect().await?;
        assert!(parts.iter().all(|part| !part.is_empty()), "an empty part would be the last");
        Ok(parts.iter().map(|part| String::from_utf8_lossy(part)).collect())
    }

    #[tokio::test]
    async fn commas_stand_between_elements_whatever_the_pages() {
        let page = |elements: &[&str]| Ok(elements.iter().map(|e| (*e).to_owned()).collect());
        for (pages, wanted) in [
            (vec![], "[]"),
            (vec![page(&[])], "[]"),
            (vec![page(&["1"])], "[1]"),
            (vec![page(&[]), page(&["1", "2"]), page(&[]), page(&["3"])], "[1,2,3]"),
        ] {
            assert_eq!(text(pages).await.unwrap(), wanted);
        }
        assert_eq!(text(vec![page(&["1"]), Err(Ended)]).await, Err(Ended));
    }

    #[tokio::test]
    async fn pages_come_until_there_is_no_next() {
        let find = |at: Option<u32>| async move {
            let at = at.unwrap_or(0);
            Ok((vec![at.to_string()], (at < 2).then_some(at + 1)))
        };
        let all: Vec<Vec<String>> = pages(find).try_collect().await.unwrap();
        assert_eq!(all, [["0"], ["1"], ["2"]]);
    }

    #[tokio::test]
    async fn a_scheduler_that_ends_says_so_before_the_first_part() {
        let parts = elements("[", stream::iter([Err(Ended)]), "]");
        assert_eq!(answer(parts).await.status(), axum::http::StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(member("a\"b", &1.into()), "\"a\\\"b\":1");
    }
}
