/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings with values that are possible, and what they become, and with values that are not. */
#ifndef CONFIG_CASES_H
#define CONFIG_CASES_H

#include <stdint.h>

struct config_case {
	const char *section, *setting;
	const char *line;
	const char *error; /* words of the refusal; NULL: it is possible */
	uint64_t number; /* what it becomes, by kind */
	const char *text;
};

#define LONG_16	 "0123456789abcdef"
#define LONG_107 "/23456789" LONG_16 LONG_16 LONG_16 LONG_16 LONG_16 LONG_16 "ab"
#define DEV	 "dev = \"a\"; "
#define RULE	 "dev = \"a\"; match = \"udp dport 7\"; to = \"x\"; "

#define YES(s, t, l)                                        \
	{                                                   \
		.section = (s), .setting = (t), .line = (l) \
	}
#define NO(s, t, l, e)                                                    \
	{                                                                 \
		.section = (s), .setting = (t), .line = (l), .error = (e) \
	}
#define NUMBER(s, t, l, v)                                                 \
	{                                                                  \
		.section = (s), .setting = (t), .line = (l), .number = (v) \
	}
#define TEXT(s, t, l, v)                                                 \
	{                                                                \
		.section = (s), .setting = (t), .line = (l), .text = (v) \
	}

static const struct config_case config_cases[] = {
	YES("daemon", "sockets", "sockets = ( { } );"),
	YES("daemon", "sockets", "sockets = ();"),
	NO("daemon", "sockets", "sockets = 5;", "sockets: a list"),
	YES("daemon", "admin_group", "admin_group = \"0\";"),
	NO("daemon", "admin_group", "admin_group = \"no-such-group\";",
	   "no group \"no-such-group\""),
	NO("daemon", "admin_group", "admin_group = 0;", "a string in quotes"),
	NO("daemon", "admin_group", "admin_group = \"\";", "no group \"\""),
	NO("daemon", "admin_group", "admin_group = \"-1\";", "no group \"-1\""),
	NO("daemon", "admin_group", "admin_group = \"4294967295\";", "no group"),
	NO("daemon", "admin_group", "admin_group = \"4294967296\";", "no group"),
	YES("daemon", "monitor_group", "monitor_group = \"0\";"),
	NO("daemon", "monitor_group", "monitor_group = 4;", "a string in quotes"),
	YES("daemon", "capture_group", "capture_group = \"0\";"),
	NO("daemon", "capture_group", "capture_group = 4;", "a string in quotes"),
	YES("daemon", "log_level", "log_level = \"error\";"),
	NO("daemon", "log_level", "log_level = \"loud\";", "\"loud\" is not one of"),
	NO("daemon", "log_level", "log_level = 3;", "a string in quotes"),
	YES("daemon", "protect", "protect = ( \"tcp dport 22\", \"udp dport 53\" );"),
	NO("daemon", "protect", "protect = ( \"tcp dprt 22\" );", "dprt"),
	NO("daemon", "protect", "protect = true;", "a list of matches"),
	NUMBER("daemon", "sandbox", "sandbox = false;", 0),
	NUMBER("daemon", "sandbox", "sandbox = true;", 1),
	NO("daemon", "sandbox", "sandbox = 1;", "true or false"),
	NUMBER("daemon", "store", "store = false;", 0),
	NUMBER("daemon", "store", "store = true;", 1),
	NO("daemon", "store", "store = 1;", "true or false"),

	TEXT("sockets", "path", "path = \"/run/x.sock\";", "/run/x.sock"),
	TEXT("sockets", "path", "path = \"" LONG_107 "\";", LONG_107),
	NO("sockets", "path", "path = \"" LONG_107 "c\";", "1 to 107 characters"),
	NO("sockets", "path", "path = \"\";", "1 to 107 characters"),
	YES("sockets", "owner", "owner = \"root\";"),
	NO("sockets", "owner", "owner = \"no such user\";", "no user"),
	NO("sockets", "owner", "owner = \"-5\";", "no user"),
	NO("sockets", "owner", "owner = \"12x\";", "no user"),
	NO("sockets", "owner", "owner = \" 12\";", "no user"),
	YES("sockets", "group", "group = \"root\";"),
	NO("sockets", "group", "group = \"99999999999999999999\";", "no group"),
	YES("sockets", "mode", "mode = 0;"),
	YES("sockets", "mode", "mode = 0777;"),
	YES("sockets", "mode", "mode = \"666\";"),
	NO("sockets", "mode", "mode = 01000;", "0000 to 0777"),
	NO("sockets", "mode", "mode = 0668;", "0000 to 0777"),
	NO("sockets", "mode", "mode = 0x1b0;", "0000 to 0777"),
	NO("sockets", "mode", "mode = true;", "0000 to 0777"),
	NO("sockets", "mode", "mode = 6.6;", "0000 to 0777"),
	NO("sockets", "mode", "mode = -1;", "0000 to 0777"),
	NO("sockets", "mode", "mode = \"\";", "0000 to 0777"),
	NO("sockets", "mode", "mode = \"rw\";", "0000 to 0777"),

	NUMBER("pollers", "cpu", "cpu = 0;", 0),
	NUMBER("pollers", "cpu", "cpu = 4095;", 4095),
	NO("pollers", "cpu", "cpu = 4096;", "0 to 4095"),
	NO("pollers", "cpu", "cpu = -1;", "0 to 4095"),
	NO("pollers", "cpu", "cpu = \"1\";", "0 to 4095"),
	NO("pollers", "cpu", "cpu = 4294967296L;", "0 to 4095"),
	YES("pollers", "mode", "mode = \"busy\";"),
	NO("pollers", "mode", "mode = \"lazy\";", "\"lazy\" is not one of"),

	TEXT("ports", "dev", "dev = \"eth0\";", "eth0"),
	TEXT("ports", "dev", "dev = \"0123456789abcde\";", "0123456789abcde"),
	NO("ports", "dev", "dev = \"" LONG_16 "\";", "1 to 15 characters"),
	NO("ports", "dev", "dev = \"\";", "1 to 15 characters"),
	TEXT("ports", "backend", DEV "backend = \"loop\";", "loop"),
	NO("ports", "backend", DEV "backend = 7;", "a string in quotes"),
	YES("ports", "pollers", DEV "pollers = [ 1, 0 ];"),
	YES("ports", "pollers", DEV "pollers = ( 1 );"),
	NO("ports", "pollers", DEV "pollers = [ ];", "1 to 16"),
	NO("ports", "pollers", DEV "pollers = 0;", "indexes of pollers"),
	NO("ports", "pollers", DEV "pollers = [ 1, 1 ];", "twice"),
	NO("ports", "pollers", DEV "pollers = [ -1 ];", "count from 0"),
	NO("ports", "pollers", DEV "pollers = [ \"1\" ];", "count from 0"),
	NO("ports", "pollers", DEV "pollers = ( 0.5 );", "count from 0"),
	NO("ports", "pollers", DEV "pollers = [ 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 ];",
	   "1 to 16"),
	NUMBER("ports", "hw_queues", DEV "hw_queues = 64;", 64),
	NO("ports", "hw_queues", DEV "hw_queues = 65;", "0 to 64"),
	NUMBER("ports", "xdp_mode", DEV "xdp_mode = \"generic\";", RN_XDP_GENERIC),
	NO("ports", "xdp_mode", DEV "xdp_mode = \"fast\";", "not one of \"auto\", \"native\""),
	NUMBER("ports", "police", DEV "police = false;", 0),
	NO("ports", "police", DEV "police = \"no\";", "true or false"),
	NUMBER("ports", "nic_policing", DEV "nic_policing = true;", 1),
	NO("ports", "nic_policing", DEV "nic_policing = 1;", "true or false"),
	NUMBER("ports", "local_switching", DEV "local_switching = false;", 0),
	NO("ports", "local_switching", DEV "local_switching = 0;", "true or false"),
	NUMBER("ports", "copy_rate", DEV "copy_rate = 5;", 5),
	NO("ports", "copy_rate", DEV "copy_rate = 100000001;", "0 to 100000000"),
	NUMBER("ports", "allow_mutable_memory", DEV "allow_mutable_memory = true;", 1),
	NO("ports", "allow_mutable_memory", DEV "allow_mutable_memory = 1;", "true or false"),
	TEXT("ports", "peer", DEV "peer = \"b\";", "b"),
	NO("ports", "peer", DEV "peer = \"" LONG_16 "\";", "1 to 15"),
	NUMBER("ports", "reflect", DEV "reflect = true;", 1),
	NO("ports", "reflect", DEV "reflect = 1;", "true or false"),
	NUMBER("ports", "sink", DEV "sink = true;", 1),
	NO("ports", "sink", DEV "sink = \"\";", "true or false"),
	TEXT("ports", "pcap_in", DEV "pcap_in = \"/a b\";", "/a b"),
	NO("ports", "pcap_in", DEV "pcap_in = true;", "a string in quotes"),
	TEXT("ports", "pcap_out", DEV "pcap_out = \"/x\";", "/x"),
	NO("ports", "pcap_out", DEV "pcap_out = ( );", "a string in quotes"),
	NUMBER("ports", "pcap_repeat", DEV "pcap_repeat = true;", 1),
	NO("ports", "pcap_repeat", DEV "pcap_repeat = 2;", "true or false"),
	NUMBER("ports", "mtu", DEV "mtu = 68;", 68),
	NUMBER("ports", "mtu", DEV "mtu = 9216;", 9216),
	NO("ports", "mtu", DEV "mtu = 67;", "68 to 9216"),
	NO("ports", "mtu", DEV "mtu = 9217;", "68 to 9216"),

	YES("policy", "user", "user = \"root\";"),
	NO("policy", "user", "user = \"no such user\";", "no user"),
	NO("policy", "user", "user = \"4294967296\";", "no user"), /* would be root */
	NO("policy", "user", "user = \"4294967295\";", "no user"),
	NO("policy", "user", "user = \"-0\";", "no user"),
	YES("policy", "group", "group = \"5\";"),
	NO("policy", "group", "group = \"5.5\";", "no group"),
	YES("policy", "socket", "socket = \"" RAWNET_DEFAULT_SOCKET "\";"),
	NO("policy", "socket", "socket = 5;", "a string in quotes"),
	NO("policy", "socket", "socket = \"" LONG_107 "c\";", "too long"),
	TEXT("policy", "dev", "dev = \"a\";", "a"),
	NO("policy", "dev", "dev = \"\";", "1 to 15"),
	YES("policy", "allow", "allow = ( \"udp dport 7\" );"),
	NO("policy", "allow", "allow = ( \"udp\", \"udp dport\" );", "dport"),
	YES("policy", "deny", "deny = [ \"udp dport 7\" ];"),
	NO("policy", "deny", "deny = ( \"nonsense\" );", "nonsense"),
	NO("policy", "deny", "deny = ( { } );", "a string in quotes"),
	NUMBER("policy", "rules", "rules = 0;", 0),
	NO("policy", "rules", "rules = 1048577;", "0 to 1048576"),
	NUMBER("policy", "memory", "memory = 4096;", 4096),
	NUMBER("policy", "memory", "memory = 68719476736L;", 68719476736),
	NUMBER("policy", "memory", "memory = \"7\";", 7),
	NUMBER("policy", "memory", "memory = \"3K\";", 3072),
	NUMBER("policy", "memory", "memory = \"5M\";", 5242880),
	NUMBER("policy", "memory", "memory = \"8589934591G\";", 9223372035781033984u),
	NO("policy", "memory", "memory = \"17179869184G\";", "K, M or G"),
	NO("policy", "memory", "memory = \"99999999999999999999\";", "K, M or G"),
	NO("policy", "memory", "memory = \"1T\";", "K, M or G"),
	NO("policy", "memory", "memory = \"1KB\";", "K, M or G"),
	NO("policy", "memory", "memory = \"K\";", "K, M or G"),
	NO("policy", "memory", "memory = \"\";", "K, M or G"),
	NO("policy", "memory", "memory = \" -1\";", "K, M or G"),
	NO("policy", "memory", "memory = -1;", "K, M or G"),
	NO("policy", "memory", "memory = 1.5;", "K, M or G"),
	NUMBER("policy", "queues", "queues = 65536;", 65536),
	NO("policy", "queues", "queues = 65537;", "0 to 65536"),
	NUMBER("policy", "attachments", "attachments = 1;", 1),
	NO("policy", "attachments", "attachments = -1;", "0 to 65536"),
	NUMBER("policy", "connections", "connections = 0;", 0),
	NO("policy", "connections", "connections = true;", "0 to 65536"),
	NUMBER("policy", "users", "users = 65536;", 65536),
	NO("policy", "users", "users = 0;", "1 to 65536"),
	NUMBER("policy", "rate", "rate = \"1M\";", 1048576),
	NO("policy", "rate", "rate = \"fast\";", "K, M or G"),
	NUMBER("policy", "byte_rate", "byte_rate = 12;", 12),
	NO("policy", "byte_rate", "byte_rate = true;", "K, M or G"),
	NUMBER("policy", "weight", "weight = 64;", 64),
	NO("policy", "weight", "weight = 0;", "1 to 64"),
	NO("policy", "weight", "weight = 65;", "1 to 64"),
	NUMBER("policy", "spoof", "spoof = true;", 1),
	NO("policy", "spoof", "spoof = 1;", "true or false"),
	NUMBER("policy", "huge", "huge = true;", 1),
	NO("policy", "huge", "huge = 1;", "true or false"),
	NUMBER("policy", "force", "force = true;", 1),
	NO("policy", "force", "force = 1;", "true or false"),

	TEXT("rules", "dev", RULE, "a"),
	NO("rules", "dev", "match = \"udp\"; to = \"x\"; dev = \"\";", "1 to 15"),
	YES("rules", "match", "dev = \"a\"; match = \"tcp sport 9\"; to = \"x\";"),
	NO("rules", "match", "dev = \"a\"; match = \"\"; to = \"x\";", "match"),
	NO("rules", "match", "dev = \"a\"; match = 7; to = \"x\";", "a string in quotes"),
	TEXT("rules", "to", "dev = \"a\"; match = \"udp\"; to = \"me:1@-_.Z\";", "me:1@-_.Z"),
	NO("rules", "to", "dev = \"a\"; match = \"udp\"; to = \"" LONG_16 LONG_16 "\";", "1 to 31"),
	YES("rules", "user", RULE "user = \"root\";"),
	NO("rules", "user", RULE "user = \"nobody at all\";", "no user"),
	NUMBER("rules", "gap", RULE "gap = \"drop\";", 1),
	NO("rules", "gap", RULE "gap = \"lose\";", "\"lose\" is not one of \"kernel\", \"drop\""),
	{0},
};

#endif
