//! Answers of the API that come in pages.

/// How many things a page has at most, and has if the caller does not say.
pub(crate) const MAX_PAGE: usize = 1000;
/// How many bytes a page has at most, unless one thing alone has more: clients take no more than
/// 4 MiB unless they are told to.
const MAX_BYTES: usize = 3 << 20;

/// How many things a page is to have, of what a caller has asked for.
pub(crate) fn page_size(asked: u32) -> usize {
    page_size_within(asked, MAX_PAGE, MAX_PAGE)
}

/// The same where a page is smaller: `usual` without a wish, and `most` whatever is wished for.
pub(crate) fn page_size_within(asked: u32, usual: usize, most: usize) -> usize {
    match usize::try_from(asked) {
        Ok(0) => usual,
        Ok(size) => size.min(most),
        Err(_) => most,
    }
}

/// As many as there is room for, from the first on, which is there however large it is; and whether
/// any were left out. No more are made than that. `size` gives how many bytes one is sent with.
pub(crate) fn fit<M>(
    all: impl IntoIterator<Item = M>,
    size: impl Fn(&M) -> usize,
) -> (Vec<M>, bool) {
    let (mut page, mut bytes) = (Vec::new(), 0_usize);
    for one in all {
        bytes = bytes.saturating_add(size(&one));
        if bytes > MAX_BYTES && !page.is_empty() {
            return (page, true);
        }
        page.push(one);
    }
    (page, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_bounds_in_number_and_in_bytes() {
        assert_eq!((page_size(0), page_size(7), page_size(5000)), (MAX_PAGE, 7, MAX_PAGE));
        let within = |asked| page_size_within(asked, 100, 500);
        assert_eq!((within(0), within(7), within(501), within(u32::MAX)), (100, 7, 500, 500));
        for (sizes, left) in [
            (vec![], 0),
            (vec![1, 1, 1], 3),
            (vec![MAX_BYTES * 2], 1),
            (vec![MAX_BYTES * 2, 1], 1),
            (vec![1, MAX_BYTES, 1], 1),
            (vec![MAX_BYTES / 2, MAX_BYTES / 3, MAX_BYTES / 3], 2),
        ] {
            let (page, is_too_much) = fit(sizes.clone(), |size| *size);
            assert_eq!((page.len(), is_too_much), (left, left < sizes.len()), "{sizes:?}");
        }
    }
}
