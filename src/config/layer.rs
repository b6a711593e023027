//! Lays the environment's variables over the file.

use ::config::{Config, ConfigError, Environment as Variables, File, FileFormat};

use super::environment::Environment;
use super::node::Node;

/// What stands in a file.
pub(super) fn alone(text: &str) -> Result<Node, ConfigError> {
    let config = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build()?;
    Ok(Node::from(config.cache))
}

/// What stands in a file, but for what the variables say. Their values stay text: only what reads one knows its type.
pub(super) fn under(text: &str, environment: &Environment) -> Result<Node, ConfigError> {
    let settings = environment.settings().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables = Variables::with_prefix("BUGLE").prefix_separator("__").separator("__");
    let config = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(variables.source(Some(settings.collect())))
        .build()?;
    Ok(Node::from(config.cache))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_lie_over_the_file_and_stay_text() {
        let environment: Environment = [
            ("BUGLE__SERVER__LISTEN", "0.0.0.0:80"),
            ("BUGLE__SOURCES__BACK-END_2__TOKENS", "0123"),
            ("PATH", "/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
        let node =
            under("[server]\nlisten = \"x\"\nmax_body = \"1KiB\"\n[[rules]]\nstop = true", &environment)
                .unwrap();
        let server = node.get("server").unwrap();
        assert_eq!(server.get("listen"), Some(&Node::Variable("0.0.0.0:80".to_owned())));
        assert_eq!(server.get("max_body"), Some(&Node::Text("1KiB".to_owned())));
        let tokens = node.get("sources").and_then(|sources| sources.get("back-end_2")?.get("tokens"));
        assert_eq!(tokens, Some(&Node::Variable("0123".to_owned())));
        assert!(matches!(node.get("rules"), Some(Node::List(rules)) if rules.len() == 1));
        assert_eq!(node.get("path"), None);
    }
}
