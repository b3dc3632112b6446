# SPDX-License-Identifier: Apache-2.0
"""Which directives mean nothing to who may see what, each with the reason why it is not carried over.

A directive that is not here, and that nothing else here understands, may restrict: where it holds, the location is closed.
"""

from __future__ import annotations

import re

from selsock.generate.apache.access import COMPATIBLE, REQUIRE
from selsock.generate.apache.syntax import Directive

REASONS = {
    "selsock has no modules, and its processes are systemd's": """
        LoadModule LoadFile Mutex User Group ServerRoot PidFile DefaultRuntimeDir ScoreBoardFile CoreDumpDirectory ScriptSock
        StartServers MinSpareServers MaxSpareServers ServerLimit MaxClients MaxRequestWorkers MaxRequestsPerChild
        MaxConnectionsPerChild MinSpareThreads MaxSpareThreads ThreadsPerChild ThreadLimit ThreadStackSize ListenBacklog
        AcceptFilter AcceptMutex LockFile EnableMMAP EnableSendfile GracefulShutdownTimeout AsyncRequestWorkerFactor Protocols
        ProtocolsHonorOrder H2Direct H2Push H2Upgrade NameVirtualHost UseCanonicalName UseCanonicalPhysicalPort
        NiceValue LimitUIDRange LimitGIDRange MaxClientsVHost DBDMin DBDKeep DBDMax DBDExptime DBDPersist DBDPrepareSQL""",
    "records go to the journal": """
        ErrorLog ErrorLogFormat CustomLog TransferLog LogFormat LogLevel LogIOTrackTTFB HostnameLookups IdentityCheck
        ScriptLog GlobalLog ForensicLog RewriteLog RewriteLogLevel ExtendedStatus ProxyStatus""",
    "limits: says this here": """
        Timeout KeepAlive KeepAliveTimeout MaxKeepAliveRequests RequestReadTimeout LimitRequestBody LimitRequestFields
        LimitRequestFieldSize LimitRequestLine LimitXMLRequestBody RLimitCPU RLimitMEM RLimitNPROC SendBufferSize
        ReceiveBufferSize ReadBufferSize""",
    "types, languages and character sets are those of selsock": """
        TypesConfig AddLanguage AddCharset AddDefaultCharset AddEncoding RemoveType RemoveHandler RemoveEncoding DefaultType
        ForceType MIMEMagicFile DefaultLanguage LanguagePriority ForceLanguagePriority CacheNegotiatedDocs ModMimeUsePathInfo
        MultiviewsMatch FileETag CheckSpelling CheckCaseOnly AddAlt""",
    "a list of a directory has one form": """
        IndexOptions IndexIgnore IndexIgnoreReset IndexOrderDefault IndexStyleSheet IndexHeadInsert HeaderName ReadmeName
        AddIcon AddIconByType AddIconByEncoding AddDescription AddAltByType AddAltByEncoding DefaultIcon""",
    "an answer is what the file or the application says": """
        ServerSignature ServerTokens ServerAdmin TraceEnable Header ErrorDocument ContentDigest AddOutputFilterByType
        DeflateCompressionLevel DeflateMemLevel DeflateWindowSize DeflateFilterNote DeflateBufferSize BrotliCompressionQuality
        ExpiresActive ExpiresByType ExpiresDefault DirectorySlash FallbackResource AcceptPathInfo
        RewriteEngine RewriteOptions RewriteBase CacheEnable CacheDisable CacheRoot CacheDirLevels CacheDirLength
        ProxyPassReverse ProxyPreserveHost ProxyTimeout ProxyVia AddModuleInfo UserDir""",
    "TLS ends at a proxy; see LISTENERS in selsock.vhost(5)": """
        SSLRandomSeed SSLSessionCache SSLSessionCacheTimeout SSLSessionTickets SSLProtocol SSLCipherSuite SSLPassPhraseDialog
        SSLHonorCipherOrder SSLCompression SSLUseStapling SSLStaplingCache SSLStaplingResponderTimeout SSLCertificateFile
        SSLStaplingReturnResponderErrors SSLCertificateKeyFile SSLCertificateChainFile SSLCACertificateFile
        SSLCACertificatePath SSLOptions SSLCryptoDevice SSLProxyEngine SSLOpenSSLConfCmd SSLStrictSNIVHostCheck""",
    "files .htaccess are never read": "AccessFileName",
    "environment: in wsgi or cgi says this here": "PassEnv UnsetEnv BrowserMatch BrowserMatchNoCase",
    "python, venv and environment of wsgi say this here": """
        WSGIProcessGroup WSGIApplicationGroup WSGIDaemonProcess WSGIPythonPath WSGIPythonHome WSGISocketPrefix
        WSGIRestrictEmbedded WSGIRestrictStdin WSGIRestrictStdout WSGIScriptReloading WSGIPassAuthorization WSGICaseSensitivity
        WSGIChunkedRequest WSGIPythonOptimize WSGILazyInitialization""",
    "there is no cache": "selinuxAllowCaches",
    "selsock itself runs at selsock_t:s0, by policy": "selinuxServerDomain",
    "every process is of user selsock; SELinux separates": "AssignUserID SuexecUserGroup RMode RUidGid RGroups RMinUidGid",
}
HARMLESS = {name.lower(): reason for reason, names in REASONS.items() for name in names.split()}
PROXYING = ("proxy", "proxymatch")  # sections that are about what ProxyPass does, which closes its location

# Sections for the files .htaccess and the like; dot-files are never shown here.
DOT_FILES = re.compile(
    r"(?:~\s*)?[\"']?(?:\^\\\.(?:ht)?|\.ht\*|\.\*|\^\\\.\(?:?(?:htaccess|htpasswd|ht|git|svn)[^|]*)[\"']?"
)


def harmless(directive: Directive) -> str:
    """Why nothing is lost when ``directive`` is not carried over; "" when it may restrict.  Raises BadSource."""
    words = directive.text.lower().split()
    match directive.name, words:
        case "allowoverride" | "allowoverridelist", ["none"]:
            return "files .htaccess are never read"
        case "addhandler", ["type-map", *_]:
            return HARMLESS["addlanguage"]
        case "sethandler", ["none" | "default-handler"]:
            return "files are served as they are unless something else is said"
        case "addtype", [kind, *_] if "x-httpd" not in kind and "parsed" not in kind:
            return HARMLESS["addlanguage"]
        case "addoutputfilter" | "setoutputfilter", [kind, *_] if "includes" not in kind:
            return HARMLESS["header"]
        case "proxyrequests" | "sslengine" | "dav", ["off"]:
            return "off here, too"
        case "setenv" | "setenvif" | "setenvifnocase", _:
            return "environment: in wsgi or cgi says this here"
    if directive.name.startswith(("php_", "php5_", "php7_")):
        return "settings of PHP, which is run by cgi here"
    if directive.inside is not None:
        opens = directive.name in PROXYING or all(harmless(inner) or grants(inner) for inner in directive.inside)
        dots = directive.name.startswith("files") and DOT_FILES.fullmatch(directive.text.strip())
        if dots and all(harmless(inner) or inner.name in (*REQUIRE, *COMPATIBLE) for inner in directive.inside):
            return "dot-files are never shown"
        return "it restricts nothing" if opens else ""
    return HARMLESS.get(directive.name, "")


def grants(directive: Directive) -> bool:
    """Whether ``directive`` only lets somebody in, so that without it the same or fewer are."""
    return " ".join([directive.name, *directive.text.lower().split()]) in (
        *("require all granted", "allow from all", "order allow,deny", "satisfy any"),
    )
