/* The SSH layer without a server: known_hosts, the client's configuration, who owns a connection, the tunnel's port. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ssh/auth.h"
#include "ssh/config.h"
#include "ssh/known_hosts.h"
#include "ssh/peer.h"
#include "ssh/tunnel.h"

/* --- known hosts --- */

#define ED25519_KEY "AAAAC3NzaC1lZDI1NTE5AAAAIFVK8OLIiJb9m1wpIFZih/WJiYWR++3t5Z9iEaNt9YD8"
#define HASHED_DB1 "|1|XwBekAeSdpFAkjAGuYug2qPF/RQ=|FzA0zCjmT4Sp3Vc4lnIYym96wtM="
#define HASHED_DB2 "|1|mxqKDVMXwb9mlkPpAcueS8cZbx0=|t8zya1UD7KXnQADM/LUMtIrgZFM="

static const char blob_a[] = "key A of the host";
static const char blob_b[] = "key B of the host";
#define KEY_A "a2V5IEEgb2YgdGhlIGhvc3Q="
#define KEY_B "a2V5IEIgb2YgdGhlIGhvc3Q="

static enum host_key_verdict judge(const char *text, const char *host, int port, const char *blob, int *line)
{
    struct host_key key = {.blob = blob, .len = strlen(blob)};

    return known_hosts_judge(text, host, port, &key, line);
}

static void test_known_hosts(void)
{
    const char *text = "# a comment\n\n"
                       "db1,10.0.0.1 ssh-ed25519 " KEY_A " who@where\n"
                       "[db2]:2222 ssh-ed25519 " KEY_A "\n"
                       "*.example.org,!bad.example.org ssh-rsa " KEY_A "\n";
    int line;

    CHECK_INT(judge(text, "db1", 22, blob_a, &line), HOST_KEY_KNOWN);
    CHECK_INT(line, 3);
    CHECK_INT(judge(text, "DB1", 22, blob_a, NULL), HOST_KEY_KNOWN);
    CHECK_INT(judge(text, "10.0.0.1", 22, blob_a, NULL), HOST_KEY_KNOWN);
    CHECK_INT(judge(text, "db1", 22, blob_b, &line), HOST_KEY_CHANGED);
    CHECK_INT(line, 3);
    CHECK_INT(judge(text, "db1", 2222, blob_a, &line), HOST_KEY_UNKNOWN);
    CHECK_INT(line, 0);
    CHECK_INT(judge(text, "db2", 2222, blob_a, NULL), HOST_KEY_KNOWN);
    CHECK_INT(judge(text, "db2", 22, blob_a, NULL), HOST_KEY_UNKNOWN);
    CHECK_INT(judge(text, "x.example.org", 22, blob_a, NULL), HOST_KEY_KNOWN);
    CHECK_INT(judge(text, "bad.example.org", 22, blob_a, NULL), HOST_KEY_UNKNOWN);
    CHECK_INT(judge("", "db1", 22, blob_a, NULL), HOST_KEY_UNKNOWN);
}

/* A second key of the same host is known, too, wherever it stands. */
static void test_several_keys(void)
{
    const char *text = "db1 ecdsa-sha2-nistp256 " KEY_B "\ndb1 ssh-ed25519 " KEY_A "\ndb1 ssh-rsa " KEY_B "x\n";
    int line;

    CHECK_INT(judge(text, "db1", 22, blob_a, &line), HOST_KEY_KNOWN);
    CHECK_INT(line, 2);
    CHECK_INT(judge(text, "db1", 22, "another", NULL), HOST_KEY_CHANGED);
}

static void test_revoked(void)
{
    const char *text = "db1 ssh-ed25519 " KEY_A "\n@revoked * ssh-ed25519 " KEY_A "\n"
                       "@cert-authority * ssh-ed25519 " KEY_B "\n";

    CHECK_INT(judge(text, "db1", 22, blob_a, NULL), HOST_KEY_REVOKED);
    CHECK_INT(judge(text, "db9", 22, blob_a, NULL), HOST_KEY_REVOKED);
    CHECK_INT(judge(text, "db9", 22, blob_b, NULL), HOST_KEY_UNKNOWN); /* an authority's key is no host's */
    CHECK_INT(judge("@revoked db2 ssh-ed25519 " KEY_A "\n", "db1", 22, blob_a, NULL), HOST_KEY_UNKNOWN);
}

/* Made by ssh-keygen -H of "db1" and "[db2]:2222". */
static void test_hashed(void)
{
    const char *text = HASHED_DB1 " ssh-ed25519 " ED25519_KEY "\n" HASHED_DB2 " ssh-ed25519 " ED25519_KEY "\n";

    CHECK_INT(judge(text, "db1", 22, "another key", NULL), HOST_KEY_CHANGED);
    CHECK_INT(judge(text, "db2", 2222, "another key", NULL), HOST_KEY_CHANGED);
    CHECK_INT(judge(text, "db2", 22, "another key", NULL), HOST_KEY_UNKNOWN);
    CHECK_INT(judge(text, "db3", 22, "another key", NULL), HOST_KEY_UNKNOWN);
}

static void test_algorithms(void)
{
    char *list = known_hosts_algorithms("db1 ssh-rsa " KEY_A "\n", "db1", 22);

    CHECK_STR(list, "rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
                    "ecdsa-sha2-nistp521");
    free(list);
    list = known_hosts_algorithms("db2 ssh-rsa " KEY_A "\n", "db1", 22);
    CHECK_STR(list, "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256,"
                    "ssh-rsa");
    free(list);
}

static void test_fingerprint(void)
{
    unsigned char digest[32];

    for (int i = 0; i < 32; i++)
        digest[i] = (unsigned char)(i * 8);
    char *text = host_key_fingerprint(digest);
    CHECK_STR(text, "SHA256:AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg");
    free(text);
}

/* --- configuration --- */

static void test_config(void)
{
    const char *text = "User everybody\n"
                       "# Host db*\n"
                       "Host db* !db9\n"
                       "  HostName=10.0.0.5\n"
                       "\tPort 2200\n"
                       "  IdentityFile \"~/.ssh/my key\"\n"
                       "  ProxyJump dba@bastion:22\n"
                       "  Compression yes\n"
                       "Match user x\n"
                       "  HostName never\n"
                       "Host *\n"
                       "  Port 2201\n"
                       "  HostName %h.example\n";
    struct ssh_config config = SSH_CONFIG_INIT;
    struct err err = ERR_INIT;

    CHECK_TRUE(ssh_config_parse(&config, text, "db1", &err));
    CHECK_STR(config.host_name, "10.0.0.5");
    CHECK_INT(config.port, 2200);
    CHECK_STR(config.user, "everybody");
    CHECK_STR(config.identity_file, "~/.ssh/my key");
    CHECK_STR(config.proxy_jump, "dba@bastion:22");
    CHECK_TRUE(ssh_config_parse(&config, text, "db9", &err));
    CHECK_STR(config.host_name, "%h.example");
    CHECK_INT(config.port, 2201);
    CHECK_STR(config.identity_file, NULL);
    CHECK_TRUE(ssh_config_parse(&config, "ProxyJump none\nProxyJump other\n", "a", &err));
    CHECK_STR(config.proxy_jump, NULL);
    CHECK_TRUE(!ssh_config_parse(&config, "\nPort seven\n", "a", &err));
    CHECK_STR(err.message, "line 2 of the SSH configuration: \"seven\" is no port");
    err_clear(&err);
    ssh_config_release(&config);
}

static void check_address(const char *text, const char *user, const char *host, int port)
{
    char *got_user, *got_host;
    int got_port;
    struct err err = ERR_INIT;

    CHECK_INT(ssh_address_parse(text, &got_user, &got_host, &got_port, &err), host != NULL);
    CHECK_STR(got_user, user);
    CHECK_STR(got_host, host);
    if (host)
        CHECK_INT(got_port, port);
    else
        CHECK_CONTAINS(err.message, "is no jump host");
    free(got_user);
    free(got_host);
    err_clear(&err);
}

static void test_address(void)
{
    check_address("bastion", NULL, "bastion", 0);
    check_address("dba@bastion:2222", "dba", "bastion", 2222);
    check_address("ssh://dba@bastion", "dba", "bastion", 0);
    check_address("[::1]:22", NULL, "::1", 22);
    check_address("a@b@host", "a@b", "host", 0);
    check_address("one,two", NULL, NULL, 0);
    check_address("bastion:x", NULL, NULL, 0);
    check_address("@bastion", NULL, NULL, 0);
    check_address("", NULL, NULL, 0);
}

static void test_locked_keys(void)
{
    CHECK_TRUE(!auth_key_is_locked("-----BEGIN OPENSSH PRIVATE KEY-----\n"
                                   "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"));
    CHECK_TRUE(auth_key_is_locked("-----BEGIN OPENSSH PRIVATE KEY-----\n"
                                  "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABB4\n"));
    CHECK_TRUE(auth_key_is_locked("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"));
    CHECK_TRUE(!auth_key_is_locked("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"));
}

/* --- the local port --- */

static const char table[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1538 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 100 1 0 20 4 30 10 -1\n"
    "   1: 0100007F:C350 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 20 4 30 10 -1\n"
    "   2: 0100007F:C351 0100007F:1538 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n";

static void test_peer_table(void)
{
    unsigned loopback = htonl(INADDR_LOOPBACK);
    uid_t uid = 7;

    CHECK_TRUE(peer_uid_in(table, loopback, 50000, loopback, 5432, &uid));
    CHECK_INT(uid, 1000);
    CHECK_TRUE(!peer_uid_in(table, loopback, 50001, loopback, 5432, &uid)); /* nobody's any more */
    CHECK_TRUE(!peer_uid_in(table, loopback, 50002, loopback, 5432, &uid));
    CHECK_TRUE(!peer_uid_in("", loopback, 50000, loopback, 5432, &uid));
}

static void test_peer(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct err err = ERR_INIT;
    uid_t uid;
    int port = 0;
    int listener = tunnel_listen(&port, &err);
    int near = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_TRUE(listener >= 0 && port > 0);
    address.sin_port = htons((uint16_t)port);
    CHECK_INT(connect(near, (struct sockaddr *)&address, sizeof address), 0);
    int far = accept(listener, NULL, NULL);
    CHECK_TRUE(far >= 0 && peer_uid(far, &uid));
    CHECK_INT(uid, getuid());
    close(near);
    close(far);
    close(listener);
    err_clear(&err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"known hosts", test_known_hosts},
        {"several keys of one host", test_several_keys},
        {"revoked keys", test_revoked},
        {"hashed names", test_hashed},
        {"algorithms", test_algorithms},
        {"fingerprint", test_fingerprint},
        {"configuration", test_config},
        {"jump hosts", test_address},
        {"locked keys", test_locked_keys},
        {"who owns a connection, from the table", test_peer_table},
        {"who owns a connection", test_peer},
        {NULL, NULL},
    };

    return unit_main("ssh", tests);
}
