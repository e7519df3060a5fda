//! From arguments to a request. Pure.

use bytes::Bytes;
use http::{
    HeaderValue, Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Map, Value};

use super::{
    body::Body,
    fault::ArgumentFault,
    fields::urlencoded,
    template::Values,
    tool::{HttpTool, user_agent},
};

/// The longest address of a request, bytes: what common servers accept.
pub const LONGEST_ADDRESS: usize = 8 * 1024;
/// The largest body of a request, bytes.
pub const LARGEST_REQUEST: usize = 1024 * 1024;

impl HttpTool {
    /// Whether the arguments are as the tool's schema says.
    ///
    /// # Errors
    /// What is wrong with them, all at once.
    pub fn check(&self, arguments: &Map<String, Value>) -> Result<(), ArgumentFault> {
        self.input.check(arguments)
    }

    /// The request for these arguments, without a credential. Whatever they hold, it goes to the
    /// tool's base URL, has the tool's path segments, and no header that the tool does not name.
    ///
    /// # Errors
    /// An argument that cannot be part of the request.
    pub fn build(&self, values: Values<'_>) -> Result<Request<Bytes>, ArgumentFault> {
        let mut address = self.path.fill(values)?;
        let query = urlencoded(&self.query, values)?;
        if !query.is_empty() {
            address.push('?');
            address.push_str(&query);
        }
        let address = self.api.base_url.with(&address);
        if address.len() > LONGEST_ADDRESS {
            let problem = "the arguments make an address that is too long";
            return Err(ArgumentFault::new("", problem));
        }
        let uri: Uri = address
            .parse()
            .map_err(|_| ArgumentFault::new("", "the arguments make no address"))?;
        let (body, content_type) = self.body(values)?;
        if body.len() > LARGEST_REQUEST {
            let problem = format!("the arguments make more than {LARGEST_REQUEST} bytes");
            return Err(ArgumentFault::new("", problem));
        }
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        let (name, value) = user_agent();
        headers.insert(name, value);
        headers.insert(ACCEPT, self.output.accept());
        for (name, value) in &self.api.headers {
            headers.insert(name, value.clone());
        }
        for header in &self.headers {
            if let Some(value) = header.value(values)? {
                headers.insert(header.name.clone(), value);
            }
        }
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(request)
    }

    fn body(&self, values: Values<'_>) -> Result<(Bytes, Option<&'static str>), ArgumentFault> {
        Ok(match &self.body {
            Body::None => (Bytes::new(), None),
            Body::Json(template) => match template.fill(values)? {
                Some(value) => (value.to_string().into(), Some("application/json")),
                None => (Bytes::new(), None),
            },
            Body::Form(fields) => {
                let form = urlencoded(fields, values)?;
                (form.into(), Some("application/x-www-form-urlencoded"))
            }
        })
    }
}
