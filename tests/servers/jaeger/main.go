// Jaeger with what the tests need of it: its receiver, its store in memory, and its query API.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/jaegertracing/jaeger/cmd/query/app/apiv3"
	"github.com/jaegertracing/jaeger/cmd/query/app/querysvc/v2/querysvc"
	"github.com/jaegertracing/jaeger/internal/jptrace/sanitizer"
	settings "github.com/jaegertracing/jaeger/internal/storage/v1/memory"
	"github.com/jaegertracing/jaeger/internal/storage/v2/memory"
	"github.com/jaegertracing/jaeger/internal/telemetry"
)

// jaeger QUERY HTTP GRPC: three addresses, of which the first answers when all do.
func main() {
	query, byHTTP, byGRPC := os.Args[1], os.Args[2], os.Args[3]
	store, err := memory.NewStore(settings.Configuration{MaxTraces: 1000})
	if err != nil {
		log.Fatal(err)
	}
	if err := receive(store, byHTTP, byGRPC); err != nil {
		log.Fatal(err)
	}
	service := querysvc.NewQueryService(store, store, querysvc.QueryServiceOptions{})
	silent := telemetry.NoopSettings()
	routes := mux.NewRouter()
	(&apiv3.HTTPGateway{QueryService: service, Logger: silent.Logger, Tracer: silent.TracerProvider}).RegisterRoutes(routes)
	log.Fatal(http.ListenAndServe(query, routes))
}

func receive(store *memory.Store, byHTTP, byGRPC string) error {
	ctx, factory := context.Background(), otlpreceiver.NewFactory()
	write, err := consumer.NewTraces(func(ctx context.Context, traces ptrace.Traces) error {
		return store.WriteTraces(ctx, sanitizer.Sanitize(traces))
	})
	if err != nil {
		return err
	}
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	http := config.HTTP.GetOrInsertDefault()
	http.ServerConfig.Endpoint = byHTTP
	config.HTTP = configoptional.Some(*http)
	grpc := config.GRPC.GetOrInsertDefault()
	grpc.NetAddr.Endpoint = byGRPC
	config.GRPC = configoptional.Some(*grpc)
	set := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	traces, err := factory.CreateTraces(ctx, set, config, write)
	if err != nil {
		return err
	}
	return traces.Start(ctx, componenttest.NewNopHost())
}
