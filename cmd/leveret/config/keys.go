package config

import (
	"math"
	"time"
)

// key is one line of the table.
type key struct {
	name string // with $x for a word of the user's choice
	set  setter // nil: accepted, without effect
	why  string // of a key without effect
}

// inert are keys that RabbitMQ knows and that have no effect here. {a,b} in a
// name stands for one key with each.
func inert(why string, names ...string) (keys []key) {
	for _, name := range names {
		for _, each := range braces(name) {
			keys = append(keys, key{name: each, why: why})
		}
	}
	return keys
}

// keys is the table: every key that a configuration file may have. The target
// of each is in o.
func keys(o *Options) (all []key) {
	for _, group := range [][]key{
		listenKeys(o), tlsKeys("ssl_options", &o.TLS), loginKeys(o), firstBootKeys(o), limitKeys(o), alarmKeys(o),
		nodeKeys(o), logKeys(&o.Log), managementKeys(&o.Management), webKeys("prometheus", &o.Prometheus), clusterKeys(),
		erlangKeys(), pluginKeys(),
	} {
		all = append(all, group...)
	}
	return all
}

func listenKeys(o *Options) []key {
	l := &o.Listen
	return append([]key{
		{name: "listeners.tcp", set: empty(&l.TCP)},
		{name: "listeners.tcp.$name", set: listener(&l.TCP)},
		{name: "listeners.ssl", set: empty(&l.TLS)},
		{name: "listeners.ssl.$name", set: listener(&l.TLS)},
		{name: "handshake_timeout", set: milliseconds(&l.HandshakeTimeout)},
		{name: "ssl_handshake_timeout", set: milliseconds(&l.TLSTimeout)},
		{name: "tcp_listen_options.nodelay", set: boolean(&l.NoDelay)},
		{name: "tcp_listen_options.keepalive", set: boolean(&l.KeepAlive)},
		{name: "tcp_listen_options.sndbuf", set: integer(&l.SendBuffer, 0, math.MaxInt32)},
		{name: "tcp_listen_options.recbuf", set: integer(&l.ReceiveBuffer, 0, math.MaxInt32)},
		{name: "proxy_protocol", set: boolean(&l.ProxyProtocol)},
	}, inert("the system and the Go runtime decide",
		"tcp_listen_options", "tcp_listen_options.{backlog,buffer,delay_send,dontroute,exit_on_close,fd,high_msgq_watermark,high_watermark}",
		"tcp_listen_options.{low_msgq_watermark,low_watermark,port,priority,send_timeout,send_timeout_close,tos}",
		"tcp_listen_options.linger.{on,timeout}", "num_acceptors.{ssl,tcp}", "socket_writer.gc_threshold", "reverse_dns_lookups")...)
}

func tlsKeys(prefix string, t *TLS) []key {
	p := prefix + "."
	crl := only("revocation lists are not read", "false")
	return append([]key{
		{name: p + "certfile", set: text(&t.CertFile)},
		{name: p + "keyfile", set: text(&t.KeyFile)},
		{name: p + "cacertfile", set: text(&t.CAFile)},
		{name: p + "password", set: text(&t.Password)},
		{name: p + "verify", set: either(&t.VerifyPeer, "verify_peer", "verify_none")},
		{name: p + "fail_if_no_peer_cert", set: boolean(&t.RequirePeer)},
		{name: p + "depth", set: integer(&t.Depth, 0, 255)},
		{name: p + "versions.$version", set: t.version},
		{name: p + "ciphers.$cipher", set: t.cipher},
		{name: p + "crl_check", set: crl},
		{name: p + "cert", set: only("name a PEM file in certfile")},
		{name: p + "key.$kind", set: only("name a PEM file in keyfile")},
		{name: p + "cacerts.$name", set: only("name a PEM file in cacertfile")},
		{name: p + "psk_identity", set: only("only certificates are")},
	}, inert("Go's TLS decides",
		prefix, p+"{client_renegotiation,dh,dhfile,honor_cipher_order,honor_ecc_order,log_level,log_alert,reuse_session,reuse_sessions}",
		p+"{secure_renegotiate,bypass_pem_cache,hostname_verification,sni}", p+"crl_sources.$index", p+"crl_sources.$index.{path,timeout}")...)
}

func loginKeys(o *Options) []key {
	l := &o.Login
	internal := only("users are those of the broker", "internal", "rabbit_auth_backend_internal")
	return append([]key{
		{name: "auth_mechanisms.$name", set: l.mechanism},
		{name: "auth_backends.$num", set: internal},
		{name: "auth_backends.$num.authn", set: internal},
		{name: "auth_backends.$num.authz", set: internal},
		{name: "loopback_users", set: empty(&l.LoopbackUsers)},
		{name: "loopback_users.$user", set: flags(&l.LoopbackUsers)},
		{name: "ssl_cert_login_from", set: oneOf(&l.From, "distinguished_name", "common_name", "subject_alternative_name", "subject_alt_name")},
		{name: "ssl_cert_login_san_type", set: oneOf(&l.SANType, "dns", "ip", "email", "uri")},
		{name: "ssl_cert_login_san_index", set: integer(&l.SANIndex, 0, 255)},
		{name: "password_hashing_module", set: only("passwords are hashed by SHA-256", "rabbit_password_hashing_sha256")},
		{name: "anonymous_login_user", set: only("ANONYMOUS is not offered", "none")},
	}, inert("passwords are not judged", "credential_validator.{validation_backend,min_length,regexp}")...)
}

func firstBootKeys(o *Options) []key {
	f := &o.FirstBoot
	return append([]key{
		{name: "default_user", set: text(&f.User)},
		{name: "default_pass", set: text(&f.Password)},
		{name: "default_vhost", set: text(&f.VHost)},
		{name: "default_user_tags.$tag", set: flags(&f.Tags)},
		{name: "default_permissions.configure", set: text(&f.Configure)},
		{name: "default_permissions.write", set: text(&f.Write)},
		{name: "default_permissions.read", set: text(&f.Read)},
		{name: "default_queue_type", set: oneOf(&f.QueueType, "classic", "quorum", "stream", "rabbit_classic_queue", "rabbit_quorum_queue", "rabbit_stream_queue")},
		{name: "default_users.$name.password", set: f.user(func(u *User) setter { return text(&u.Password) })},
		{name: "default_users.$name.tags", set: f.user(func(u *User) setter { return commas(&u.Tags) })},
		{name: "default_users.$name.vhost_pattern", set: f.user(func(u *User) setter { return expression(&u.VHostPattern) })},
		{name: "default_users.$name.configure", set: f.user(func(u *User) setter { return text(&u.Configure) })},
		{name: "default_users.$name.write", set: f.user(func(u *User) setter { return text(&u.Write) })},
		{name: "default_users.$name.read", set: f.user(func(u *User) setter { return text(&u.Read) })},
		{name: "load_definitions", set: text(&o.Definitions)},
		{name: "management.load_definitions", set: text(&o.Definitions)},
		{name: "definitions.local.path", set: text(&o.Definitions)},
		{name: "definitions.import_backend", set: only("definitions are read from a local file", "local_filesystem", "rabbit_definitions_import_local_filesystem")},
		{name: "definitions.https.url", set: only("definitions are read from a local file")},
	}, inert("definitions are read from a local file at each start", "definitions.skip_if_unchanged", "definitions.hashing.algorithm",
		"definitions.tls.{verify,fail_if_no_peer_cert,cacertfile,certfile,cert,reuse_session,crl_check,depth,dh,keyfile,log_alert,password}",
		"definitions.tls.{secure_renegotiate,reuse_sessions,log_level}", "definitions.tls.cacerts.$name",
		"definitions.tls.versions.$version", "definitions.tls.ciphers.$cipher")...)
}

func limitKeys(o *Options) []key {
	l := &o.Limits
	return append([]key{
		{name: "heartbeat", set: seconds(&l.Heartbeat)},
		{name: "frame_max", set: frameSize(&l.FrameMax)},
		{name: "channel_max", set: integer(&l.ChannelMax, 0, math.MaxUint16)},
		{name: "max_channels_per_connection", set: integer(&l.ChannelMax, 0, math.MaxUint16)},
		{name: "connection_max", set: count(&l.Connections)},
		{name: "max_connections", set: count(&l.Connections)},
		{name: "max_message_size", set: size(&l.MaxMessageSize)},
		{name: "consumer_timeout", set: milliseconds(&l.ConsumerTimeout)},
		{name: "channel_max_per_node", set: count(&l.NodeChannels)},
		{name: "consumer_max_per_channel", set: count(&l.ChannelConsumers)},
		{name: "vhost_max", set: count(&l.VHosts)},
		{name: "cluster_queue_limit", set: count(&l.Queues)},
		{name: "cluster_exchange_limit", set: count(&l.Exchanges)},
	}, inert("there is no such limit", "initial_frame_max", "consumer_disconnected_timeout", "link_max_per_session", "ranch_connection_max",
		"session_max_per_connection", "runtime_parameters.limits.$category")...)
}

func alarmKeys(o *Options) []key {
	a := &o.Alarms
	return append([]key{
		{name: "vm_memory_high_watermark.relative", set: ratio(&a.MemoryRelative)},
		{name: "vm_memory_high_watermark.absolute", set: size(&a.MemoryAbsolute)},
		{name: "total_memory_available_override_value", set: size(&a.MemoryTotal)},
		{name: "disk_free_limit.relative", set: ratio(&a.DiskRelative)},
		{name: "disk_free_limit.absolute", set: size(&a.DiskAbsolute)},
	}, inert("memory is measured by the Go runtime and bodies are not paged", "vm_memory_high_watermark_paging_ratio",
		"memory_monitor_interval", "vm_memory_calculation_strategy", "background_gc_enabled", "background_gc_target_interval")...)
}

func nodeKeys(o *Options) []key {
	return append([]key{
		{name: "node_name", set: text(&o.NodeName)},
		{name: "data_dir", set: text(&o.DataDir)},
		{name: "pid_file", set: text(&o.PIDFile)},
		{name: "enabled_plugins", set: commas(&o.Plugins)},
		{name: "compatibility", set: oneOf(&o.Compatibility, "3.10", "3.13", "4.3")},
		{name: "cluster_name", set: text(&o.ClusterName)},
		{name: "product.version", set: text(&o.Version)},
		{name: "event_exchange.vhost", set: text(&o.Events)},
		{name: "collect_statistics_interval", set: milliseconds(&o.Management.Interval)},
	}, inert("it has no counterpart here", "product.name", "motd_file", "cluster_tags.$tag", "node_tags.$tag",
		"collect_statistics", "message_interceptors.$stage.$name.$key", "deprecated_features.permit.$name",
		"exchange_types.local_random.enabled", "queue_types.{classic,quorum,stream}.enabled", "prevent_startup_if_node_was_reset",
		"default_limits.vhosts.$id.{max_connections,max_queues,pattern}", "default_policies.operator.$id.{apply_to,delivery_limit,expires,max_in_memory_bytes,max_in_memory_length,max_length}",
		"default_policies.operator.$id.{max_length_bytes,message_ttl,queue_pattern,vhost_pattern}",
		"default_policies.operator.$id.classic_queues.{ha_mode,ha_params,ha_sync_mode,queue_version}")...)
}

func logKeys(l *Log) []key {
	all := []key{
		{name: "log.dir", set: text(&l.Dir)},
		{name: "log.exchange", set: boolean(&l.Exchange)},
		{name: "log.level", set: level(&l.Level)},
		{name: "log.default.level", set: level(&l.Level)},
		{name: "log.console", set: boolean(&l.Console.On)},
		{name: "log.console.level", set: level(&l.Console.Level)},
		{name: "log.console.stdio", set: either(&l.ToStderr, "stderr", "stdout")},
		{name: "log.console.formatter", set: either(&l.Console.JSON, "json", "plaintext")},
		{name: "log.file", set: l.file},
		{name: "log.file.level", set: level(&l.File.Level)},
		{name: "log.file.formatter", set: either(&l.File.JSON, "json", "plaintext")},
		{name: "log.file.rotation.size", set: integer(&l.Rotation.Size, 0, math.MaxInt64)},
		{name: "log.file.rotation.count", set: integer(&l.Rotation.Keep, 0, math.MaxInt32)},
		{name: "log.file.rotation.date", set: l.Rotation.date},
		{name: "log.file.rotation.compress", set: boolean(&l.Rotation.Compress)},
	}
	for _, category := range []string{"connection", "channel", "queue", "mirroring", "federation", "upgrade", "ra", "user"} {
		all = append(all, key{name: "log." + category + ".level", set: l.category})
	}
	all = append(all, inert("each line has one form", "log.{console,file,exchange,syslog}.formatter.{time_format,level_format,single_line}",
		"log.{console,file,exchange,syslog}.formatter.plaintext.format", "log.{console,file,exchange,syslog}.formatter.json.{field_map,verbosity_map}",
		"log.console.use_colors", "log.console.color_esc_seqs.{debug,info,notice,warning,error,critical,alert,emergency}",
		"log.error_logger_format_depth", "log.summarize_process_state")...)
	all = append(all, inert("logs go to the console, to one file, and to an exchange as lines", "log.{journald,syslog}", "log.{exchange,journald,syslog}.level", "log.exchange.formatter", "log.syslog.formatter",
		"log.journald.fields", "log.syslog.{identity,facility,multiline_mode,ip,host,port,transport,protocol}",
		"log.default.rotation.{date,compress,size,count}", "log.{connection,channel,mirroring,queue,federation,upgrade,ra,user}.file",
		"log.{connection,channel,mirroring,queue,federation,upgrade,ra,user}.rotation.{date,compress,size,count}")...)
	for _, k := range tlsKeys("log.syslog.ssl_options", new(TLS)) {
		all = append(all, key{name: k.name, why: "logs go to the console and to one file"})
	}
	return all
}

func managementKeys(m *Management) []key {
	h := func(name string) setter { return func(s Setting) error { m.Headers[name] = s.Value; return nil } }
	all := append(webKeys("management", &m.Web), []key{
		{name: "management.path_prefix", set: text(&m.PathPrefix)},
		{name: "management.cors.allow_origins", set: empty(&m.CORSOrigins)},
		{name: "management.cors.allow_origins.$name", set: texts(&m.CORSOrigins)},
		{name: "management.cors.max_age", set: seconds(&m.CORSMaxAge)},
		{name: "management.csp.policy", set: h("content-security-policy")},
		{name: "management.hsts.policy", set: h("strict-transport-security")},
		{name: "management.headers.content_type_options", set: h("x-content-type-options")},
		{name: "management.headers.xss_protection", set: h("x-xss-protection")},
		{name: "management.headers.frame_options", set: h("x-frame-options")},
		{name: "management.rates_mode", set: oneOf(&m.RatesMode, "basic", "detailed", "none")},
		{name: "management.login_session_timeout", set: span(&m.SessionTimeout, time.Minute)},
		{name: "management.http.max_body_size", set: integer(&m.MaxBody, 0, math.MaxInt64)},
		{name: "management.disable_stats", set: boolean(&m.DisableStats)},
		{name: "management_agent.disable_metrics_collector", set: boolean(&m.DisableStats)},
		{name: "management.enable_queue_totals", set: boolean(&m.QueueTotals)},
		{name: "management.disable_basic_auth", set: boolean(&m.NoBasicAuth)},
		{name: "management.sample_retention_policies.$section.$interval", set: m.retention},
		{name: "management.enable_uaa", set: only("users are those of the broker", "false")},
	}...)
	all = append(all, oldListenerKeys(&m.Web)...)
	return append(all, inert("it has no counterpart here", "management.http_log_dir", "management.db_cache_multiplier",
		"management.{uaa_client_id,uaa_location}", "management_agent.filter_aggregated_queue_metrics_pattern")...)
}

// webKeys are those of an HTTP listener.
func webKeys(prefix string, w *Web) []key {
	all := []key{
		{name: prefix + ".tcp.port", set: port(&w.Port)},
		{name: prefix + ".tcp.ip", set: ip(&w.IP)},
		{name: prefix + ".ssl.port", set: port(&w.TLSPort)},
		{name: prefix + ".ssl.ip", set: ip(&w.TLSIP)},
	}
	if prefix == "prometheus" {
		all = append(all, key{name: "prometheus.path", set: text(&w.Path)},
			key{name: "prometheus.return_per_object_metrics", set: boolean(&w.PerObject)},
			key{name: "prometheus.authentication.enabled", set: boolean(&w.Authenticate)})
		all = append(all, inert("all queues are counted", "prometheus.filter_aggregated_queue_metrics_pattern")...)
	}
	all = append(all, tlsKeys(prefix+".ssl", &w.TLS)...)
	return append(all, inert("the HTTP server has its own limits", prefix+".ssl.backlog",
		prefix+".{tcp,ssl}.{compress,idle_timeout,inactivity_timeout,request_timeout,shutdown_timeout,max_keepalive}")...)
}

// oldListenerKeys are how one management listener was described before
// management.tcp and management.ssl.
func oldListenerKeys(w *Web) []key {
	all := []key{
		{name: "management.listener.port", set: port(&w.Port)},
		{name: "management.listener.ip", set: ip(&w.IP)},
		{name: "management.listener.ssl", set: w.oldTLS},
	}
	all = append(all, tlsKeys("management.listener.ssl_opts", &w.TLS)...)
	return append(all, inert("the HTTP server has its own limits",
		"management.listener.server.{compress,idle_timeout,inactivity_timeout,request_timeout,shutdown_timeout,max_keepalive}")...)
}

// clusterKeys say how nodes find each other.
func clusterKeys() []key {
	return inert("there are no clusters yet: the node stays alone",
		"cluster_partition_handling", "cluster_partition_handling.pause_if_all_down.recover", "cluster_partition_handling.pause_if_all_down.nodes.$name",
		"cluster_formation.{peer_discovery_backend,target_cluster_size_hint,node_type,internal_lock_retries,lock_retry_limit}",
		"cluster_formation.{lock_retry_timeout,discovery_retry_limit,discovery_retry_interval}", "cluster_formation.classic_config.nodes.$node",
		"cluster_formation.randomized_startup_delay_range.{min,max}", "cluster_formation.registration.enabled",
		"cluster_formation.{aws,consul,dns,etcd,k8s,proxy,node_cleanup}.*", "cluster_keepalive_interval", "net_ticktime", "delegate_count",
		"mirroring_sync_batch_size", "mirroring_sync_max_throughput", "queue_master_locator", "queue_leader_locator")
}

// erlangKeys tune parts of RabbitMQ that do not exist here.
func erlangKeys() []key {
	return inert("it tunes a part of RabbitMQ that does not exist here",
		"erlang.$name", "hipe_compile", "ssl_allow_poodle_attack", "default_worker_pool_size", "mnesia_table_loading_retry_{timeout,limit}",
		"message_store_shutdown_timeout", "queue_index_embed_msgs_below", "vhost_restart_strategy", "classic_queue.default_version",
		"distribution.listener.port_range.{min,max}", "distribution.listener.interface", "sysmon_handler.thresholds.{busy_processes,busy_ports}",
		"sysmon_handler.triggers.process.{garbage_collection,long_scheduled_execution,heap_size}", "sysmon_handler.triggers.{port,distribution_port}",
		"raft.{segment_max_entries,wal_max_size_bytes,wal_max_entries,wal_hibernate_after,wal_max_batch_size,snapshot_chunk_size,data_dir}",
		"raft.adaptive_failure_detector.{detection_threshold,heartbeat_interval,poll_interval,scaling_factor}",
		"metadata_store.khepri.{default_timeout,snapshot_interval}",
		"quorum_queue.{compute_checksums,commands_soft_limit,compress_mem_tables,initial_cluster_size,max_append_entries_rpc_batch_size}",
		"quorum_queue.{segment_compute_checksums,segment_max_entries,segment_max_size_bytes,snapshot_chunk_size}",
		"quorum_queue.{wal_compute_checksums,wal_max_batch_size,wal_max_entries,wal_max_size_bytes}",
		"quorum_queue.continuous_membership_reconciliation.{auto_remove,enabled,interval,target_group_size,trigger_interval}",
		"quorum_queue.property_equivalence.relaxed_checks_on_redeclaration")
}

// pluginKeys are those of plugins that have no counterpart here; * stands for
// any words.
func pluginKeys() []key {
	return inert("the plugin has no counterpart here", "amqp10_client.*", "amqp1_0.*", "amqp_client.*", "auth_cache.*", "auth_http.*", "auth_ldap.*",
		"auth_oauth2.*", "aws.*", "federation.*", "mqtt.*", "shovel.*", "stomp.*", "stream.*", "tracing.*", "trust_store.*",
		"web_mqtt.*", "web_stomp.*", "anonymous_login_pass")
}
